import { DockerFailure } from "../docker/run.ts";
import type { DumpedFile, DumpManifest } from "./manifest.ts";
import { isDumpOf, manifestFile, manifestSchema } from "./manifest.ts";
import type { DumpPlace } from "./place.ts";
import { dumpsFolder, shellIn } from "./place.ts";

/** A dump with its manifest. */
export interface ListedDump {
  readonly name: string;
  readonly manifest: DumpManifest;
  /** All files are there in their recorded sizes. Hashes are compared by `verifyDump`. */
  readonly whole: boolean;
}

/** The dumps of a stack, newest first. Folders without a readable manifest are no dumps and are left out. */
export async function listDumps(place: DumpPlace, stack: string): Promise<ListedDump[]> {
  return dumpsOf(stack, await shellIn(place, listScript, [dumpsFolder, stack, manifestFile]));
}

/**
 * Folders with the name of a dump of this stack that are not among `dumps`: a dump gets its name after its manifest was written, so
 * that is gone or damaged.
 */
export async function brokenDumps(
  place: DumpPlace,
  stack: string,
  dumps: readonly Pick<ListedDump, "name">[],
): Promise<string[]> {
  const script = `cd "$1"; find . -mindepth 1 -maxdepth 1 -type d -printf '%f\\n'`;
  const folders = (await shellIn(place, script, [dumpsFolder])).split("\n");
  const read = new Set(dumps.map(({ name }) => name));
  return folders.filter((name) => isDumpOf(stack, name) && !read.has(name)).sort();
}

/** What `listScript` printed as the dumps of this stack, newest first. */
export function dumpsOf(stack: string, printed: string): ListedDump[] {
  return parseListing(printed)
    .filter(({ name, manifest }) => isDumpOf(stack, name) && manifest.stack === stack)
    .sort((a, b) => compare(b.manifest.startedAt, a.manifest.startedAt) || compare(b.name, a.name));
}

/** ISO times as they follow one another; names hold whole seconds, and two dumps may begin in one. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** `$1` folder, `$2` stack, `$3` name of the manifest. Prints per dump: record separator, name, unit separator, manifest, unit separator, sizes. */
export const listScript = `cd "$1"
for dump in "$2"-*; do
  [ -f "$dump/$3" ] || continue
  printf '\\036%s\\037' "$dump"; cat "$dump/$3"; printf '\\037'
  find "$dump" -type f ! -name "$3" -printf '%s %P\\n'
done`;

/** Pure; what cannot be parsed is left out. */
export function parseListing(printed: string): ListedDump[] {
  return printed
    .split("\x1e")
    .slice(1)
    .flatMap((record) => {
      const [name = "", text = "", sizes = ""] = record.split("\x1f");
      const manifest = manifestSchema.safeParse(parseJson(text));
      return manifest.success
        ? [{ name, manifest: manifest.data, whole: isWhole(manifest.data.files, sizes) }]
        : [];
    });
}

function isWhole(files: readonly DumpedFile[], sizes: string): boolean {
  const found = new Set(sizes.split("\n"));
  return files.every(({ path, bytes }) => found.has(`${String(bytes)} ${path}`));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A damaged manifest: the caller treats it as none.
    return undefined;
  }
}

/** What keeps a dump from being restored; empty: nothing. */
export interface DumpCheck {
  readonly name: string;
  readonly problems: readonly string[];
}

/** Reads a dump again in full: every hash, and every archive through pg_restore. Throws when there is no such dump. */
export async function verifyDump(
  place: DumpPlace,
  { name, manifest }: Pick<ListedDump, "name" | "manifest">,
): Promise<DumpCheck> {
  const path = `${dumpsFolder}/${name}`;
  const sums = manifest.files.map((file) => `${file.sha256} *${file.path}\n`).join("");
  const problems: string[] = [];
  const attempt = async (work: Promise<string>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof DockerFailure)) throw error;
      problems.push(...`${error.stdout}\n${error.stderr}`.split("\n").filter((line) => line.trim() !== ""));
    }
  };
  await attempt(shellIn(place, 'cd "$1"; sha256sum --check --strict --quiet -', [path], { input: sums }));
  for (const { folder } of manifest.databases) {
    await attempt(shellIn(place, 'pg_restore --file=/dev/null "$1"', [`${path}/${folder}`]));
  }
  return { name, problems };
}

/**
 * Of dumps, newest first, those to remove so that the newest `keep` whole ones stay, at least one. Damaged ones do not count as kept, and go once
 * they are older than all that stay; while nothing whole is there, nothing goes. Pure.
 */
export function dumpsToRemove(dumps: readonly Pick<ListedDump, "name" | "whole">[], keep: number): string[] {
  const kept = dumps.filter(({ whole }) => whole).slice(0, Math.max(1, Math.floor(keep)));
  const oldest = kept.at(-1);
  return oldest === undefined ? [] : dumps.slice(dumps.indexOf(oldest) + 1).map(({ name }) => name);
}

/** Removes what `dumpsToRemove` names. @returns their names. */
export async function pruneDumps(
  place: DumpPlace,
  dumps: readonly ListedDump[],
  keep: number,
): Promise<string[]> {
  const names = dumpsToRemove(dumps, keep);
  if (names.length > 0) await shellIn(place, removeScript, [dumpsFolder, ...names]);
  return names;
}

/** Renamed first: a removal that is cut short must not leave half a dump under a dump's name. */
const removeScript = `cd "$1"; shift; for dump in "$@"; do mv -T "$dump" ".partial-$dump"; rm -rf ".partial-$dump"; done`;
