import { Refusal } from "../../../settings/refusal.ts";
import { effectsOf } from "../sql/effects.ts";
import type { Thing } from "../sql/effects.ts";
import { parseScript } from "../sql/parse.ts";
import type { ScriptStatement } from "../sql/script.ts";
import type { Step } from "../steps.ts";

/**
 * Refuses `SCHEMA_CHAIN_FAILS`: a reversal that may pass alone and cannot behind those that come before it, as one of them takes
 * away what it names. Only what is certain from the texts is refused: after anything opaque, a rename or a setting nothing is.
 */
export function refuseBrokenChain(database: string, reversals: readonly Step[]): void {
  const gone = new Map<string, string>();
  for (const { where, script } of reversals) {
    for (const { effects, opaque, line } of script.statements) {
      const at = `${where}, line ${line}`;
      const missing = effects.needs.find((thing) => gone.has(plain(thing)));
      if (missing !== undefined) throw chainRefusal(database, at, missing, gone.get(plain(missing)) ?? "");
      if (opaque !== undefined || effects.unclear) gone.clear();
      for (const thing of effects.made) {
        gone.delete(plain(thing));
        // A table made anew has columns of its own.
        const columns = `column ${plain(thing).replace(/^relation /, "")}.`;
        for (const key of gone.keys()) if (key.startsWith(columns)) gone.delete(key);
      }
      if (effects.unclear) continue;
      for (const thing of effects.removed) gone.set(plain(thing), at);
    }
  }
}

function chainRefusal(database: string, at: string, { kind, name }: Thing, taken: string): Refusal {
  return new Refusal({
    code: "SCHEMA_CHAIN_FAILS",
    found: `${at}: it needs the ${kind} ${name}, which ${taken} has taken away by then.`,
    untouched: "Nothing was stopped or changed.",
    next: `Correct one of the two reversals (column down of rollback.migration in ${database}), or write IF EXISTS into it.`,
  });
}

/**
 * What a migration makes and its reversal leaves, for people: `column meals.calories`. Empty also where that cannot be told: the
 * reversal does more than its text says. Pure; needs `loadParser()`.
 */
export function leftBehind(up: string, down: readonly ScriptStatement[], where: string): string[] {
  if (down.some(({ opaque, effects }) => opaque !== undefined || effects.unclear)) return [];
  const made = new Map<string, Thing>();
  for (const { node } of parseScript(up, where)) {
    const effects = effectsOf(node);
    if (effects.unclear) return [];
    for (const thing of effects.removed) made.delete(plain(thing));
    for (const thing of effects.made) made.set(plain(thing), thing);
  }
  const removed = new Set(down.flatMap(({ effects }) => effects.removed.map(plain)));
  const whole = new Set([...removed].filter((key) => key.startsWith("relation ")).map((key) => key.slice(9)));
  const left = [...made].filter(([key, thing]) => !removed.has(key) && !whole.has(tableOf(key, thing)));
  // The table of an index, and the owner of a sequence, may well be among what is removed.
  const unsure = whole.size > 0;
  return left
    .filter(([key]) => !unsure || !indexes(up, where).has(key))
    .map(([, { kind, name }]) => (kind === "relation" ? name : `${kind} ${name}`));
}

/** `public` is where most migrations work, whether they say so or not. */
function plain({ kind, name }: Thing): string {
  return `${kind} ${name.replace(/^public\./, "")}`;
}

function tableOf(key: string, { kind }: Thing): string {
  return kind === "column" ? key.slice("column ".length).replace(/\.[^.]*$/, "") : "";
}

/** Indexes and sequences go with their tables. */
function indexes(sql: string, where: string): Set<string> {
  return new Set(
    parseScript(sql, where).flatMap(({ node }) =>
      "IndexStmt" in node || "CreateSeqStmt" in node ? effectsOf(node).made.map(plain) : [],
    ),
  );
}
