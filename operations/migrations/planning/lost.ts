import type { CatalogueChanges } from "../catalogue/changes.ts";
import { wordsIn } from "../sql/words.ts";
import type { Step } from "../steps.ts";

/** A reversal with what its migration changed in the catalogue, as it was recorded when it was applied. */
export interface Recorded {
  readonly step: Pick<Step, "script" | "where">;
  readonly changes: CatalogueChanges;
}

/**
 * What migrations removed or changed and their reversals do not name, for people, by `where`; empty also where a reversal does
 * more than its text says. What an older one of the chain had made is not missed, as that goes as well. `chain` is newest first. Pure.
 */
export function notBroughtBack(chain: readonly Recorded[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [index, { step, changes }] of chain.entries()) {
    const { statements } = step.script;
    if (statements.some(({ opaque, effects }) => opaque !== undefined || effects.unclear)) continue;
    const older = new Set(chain.slice(index + 1).flatMap((each) => Object.keys(each.changes.added)));
    const words = wordsIn(statements.map(({ sql }) => sql).join("\n"));
    const tables = new Set(Object.keys(changes.removed).filter((key) => /^(foreign )?table /.test(key)));
    const missing = Object.entries(changes.removed).flatMap(([key, definition]) => {
      const thing = thingOf(key, definition);
      if (thing === undefined || older.has(key) || named(thing, words)) return [];
      return tables.has(`table ${thing.table ?? ""}`) ? [] : [key];
    });
    const changed = Object.entries(changes.changed).flatMap(([key, { before }]) => {
      const thing = thingOf(key, before);
      return thing === undefined || older.has(key) || named(thing, words) ? [] : [`${key} as it was`];
    });
    if (missing.length + changed.length > 0) found.set(step.where, [...missing.sort(), ...changed.sort()]);
  }
  return found;
}

interface Thing {
  readonly kind: string;
  /** Its own name, lower case. */
  readonly name: string;
  /** Its table with the schema, as the catalogue writes it. */
  readonly table: string | undefined;
}

/** Of the kinds that people write reversals for; privileges and comments are seen by the comparison alone. */
const kinds =
  /^(table|view|materialized view|foreign table|composite type|column|constraint|index|sequence|function|procedure|aggregate|trigger|rule|policy|enum|domain|schema|extension) (.+)$/s;

function thingOf(key: string, definition: string): Thing | undefined {
  const [, kind, identity = ""] = kinds.exec(key) ?? [];
  if (kind === undefined) return undefined;
  const name = bare(identity.replace(/\(.*$/s, ""));
  switch (kind) {
    case "column":
      return { kind, name, table: identity.slice(0, -lastPart(identity).length - 1) };
    case "constraint":
    case "trigger":
    case "rule":
    case "policy":
      return { kind, name, table: identity.slice(0, -lastPart(identity).length - 1) };
    case "index":
      return { kind, name, table: / ON (?:ONLY )?(\S+) USING /.exec(definition)?.[1] };
    case "sequence": {
      const column = / owned by (\S+)$/.exec(definition)?.[1];
      return { kind, name, table: column?.slice(0, -lastPart(column).length - 1) };
    }
    default:
      return { kind, name, table: undefined };
  }
}

/** Whether a reversal may bring it back: it is named, or made without a name on its table, or the whole table is made anew. */
function named({ kind, name, table }: Thing, words: ReadonlySet<string>): boolean {
  if (words.has(name)) return true;
  if (table === undefined || !words.has(bare(table))) return false;
  switch (kind) {
    case "index":
      return words.has("index") || words.has("create") || words.has("add");
    case "column":
      return words.has("create");
    default:
      return words.has("create") || words.has("add");
  }
}

function lastPart(identity: string): string {
  return /(?:"(?:[^"]|"")+"|[^." ]+)$/.exec(identity)?.[0] ?? identity;
}

function bare(identity: string): string {
  const part = lastPart(identity);
  return (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part).toLowerCase();
}
