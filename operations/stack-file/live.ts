import { readFile, rename, writeFile } from "node:fs/promises";
import { isMap, isNode, isPair, isScalar, isSeq, parseDocument } from "yaml";
import type { Node, YAMLMap, YAMLSeq } from "yaml";

const key = "rollback:live";

/**
 * The stack file with other weights in `rollback:live`, and without those releases in `rollback:standby`, where a live one
 * must not be; every other character, comments included, stays as it is. Undefined: the text has no such line, or it
 * could not be changed in place.
 */
export function withLive(text: string, live: ReadonlyMap<string, number>): string | undefined {
  const document = parseDocument(text);
  const node = document.getIn(["config", key], true);
  const standby = document.getIn(["config", "rollback:standby"], true);
  if (document.errors.length > 0 || !isMap(node)) return undefined;
  const weights = [...live].map(([release, weight]) => `${JSON.stringify(release)}: ${weight}`).join(", ");
  const names = isSeq(standby) ? standby.items.map((item) => (isScalar(item) ? String(item.value) : "")) : [];
  const kept = names.filter((name) => !live.has(name));
  const edits = [
    { node, by: `{ ${weights} }` },
    ...(isSeq(standby) && kept.length < names.length
      ? [{ node: standby, by: `[${kept.map((name) => JSON.stringify(name)).join(", ")}]` }]
      : []),
  ].sort((one, other) => startOf(other.node) - startOf(one.node));
  const changed = edits.reduce(
    (before, edit) => before.slice(0, startOf(edit.node)) + edit.by + before.slice(endOf(edit.node)),
    text,
  );
  const found = liveIn(changed);
  return found !== undefined && same(found, live) ? changed : undefined;
}

/** The weights that `rollback:live` gives; undefined when it is not there or not plain weights. */
export function liveIn(text: string): Map<string, number> | undefined {
  const node = parseDocument(text).getIn(["config", key], true);
  if (!isMap(node)) return undefined;
  const pairs = node.items.map(
    ({ key: name, value }) =>
      [isScalar(name) ? String(name.value) : "", isScalar(value) ? Number(value.value) : Number.NaN] as const,
  );
  return new Map(pairs);
}

function startOf({ range }: Node): number {
  return range?.[0] ?? 0;
}

/** Where a collection ends: at its bracket, or after its last value, as a block takes the line breaks behind it as well. */
function endOf(node: YAMLMap | YAMLSeq): number {
  const end = node.range?.[1] ?? 0;
  if (node.flow === true) return end;
  const item = node.items.at(-1);
  const last = isPair(item) ? item.value : item;
  return isNode(last) ? (last.range?.[1] ?? end) : end;
}

function same(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([name, weight]) => other.get(name) === weight);
}

/**
 * Makes a stack file name these releases as live, when it names the given others now. Written beside and renamed, so that
 * no half file is ever read. Returns whether the file now says so.
 */
export async function writeLive(
  file: string,
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
): Promise<boolean> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  const now = text === undefined ? undefined : liveIn(text);
  if (text === undefined || now === undefined) return false;
  if (same(now, to)) return true;
  // Somebody has changed the line since: theirs is the newer wish.
  if (!same(now, from)) return false;
  const changed = withLive(text, to);
  if (changed === undefined) return false;
  const beside = `${file}.rollback-${process.pid}`;
  await writeFile(beside, changed);
  await rename(beside, file);
  return true;
}
