import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { dumpsFolder, shellIn, streamIn, type DumpPlace } from "../backup/place.ts";
import { parseExactly } from "./exact-json.ts";
import type { SalvagedRow } from "./salvaged.ts";

/** What a recovery left out, as it lies in the repository. */
export interface Pack {
  /** The run that recovered. */
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
  readonly databases: readonly string[];
}

/** Where packs are, a folder for each. */
export const salvageFolder = `${dumpsFolder}/salvage`;

/** File of a pack with every change of a database. No database has a dot in its name. */
export const changesName = (database: string): string => `${database}.changes.jsonl`;

/** All packs, newest first. */
export async function listPacks(place: DumpPlace): Promise<Pack[]> {
  const script = `cd "$1" 2>/dev/null || exit 0; find . -mindepth 2 -maxdepth 2 -name '*.jsonl' ! -name '*.changes.jsonl' -printf '%T@ %P\\n'`;
  const printed = await shellIn(place, script, [salvageFolder]);
  const packs = new Map<string, { readonly at: number; readonly databases: string[] }>();
  for (const line of printed.split("\n").filter(Boolean)) {
    const [, time = "0", name = "", database = ""] = /^(\S+) ([^/]+)\/(.*)\.jsonl$/.exec(line) ?? [];
    const pack = packs.get(name);
    packs.set(name, {
      at: Math.max(Number(time), pack?.at ?? 0),
      databases: [...(pack?.databases ?? []), database],
    });
  }
  return [...packs]
    .sort(([, a], [, b]) => b.at - a.at)
    .map(([name, { at, databases }]) => ({
      name,
      at: new Date(at * 1000).toISOString(),
      databases: databases.sort(),
    }));
}

const row = z.object({
  database: z.string(),
  table: z.string(),
  change: z.enum(["write", "delete"]),
  row: z.record(z.string(), z.unknown()),
});

/** The rows of one database in a pack, in their order. Refuses `SALVAGE_UNKNOWN`. */
export async function readPack(place: DumpPlace, pack: Pack, database: string): Promise<SalvagedRow[]> {
  if (!pack.databases.includes(database)) {
    throw new Refusal({
      code: "SALVAGE_UNKNOWN",
      found: `${pack.name} has no rows of ${database}; it has ${pack.databases.join(", ")}.`,
      untouched: "Nothing was changed.",
      next: "npx rollback salvage list",
    });
  }
  const text = await shellIn(place, 'cat "$1"', [`${salvageFolder}/${pack.name}/${database}.jsonl`]);
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => row.parse(parseExactly(line)));
}

const change = z.object({
  xid: z.string(),
  at: z.string(),
  table: z.string(),
  change: z.enum(["insert", "update", "delete", "truncate"]),
  old: z.record(z.string(), z.unknown()).optional(),
  row: z.record(z.string(), z.unknown()).optional(),
  unchanged: z.array(z.string()).optional(),
});
/** A line of `<database>.changes.jsonl`. */
export type PackedChange = z.output<typeof change>;

/** Every change of one database in a pack, in their order. Refuses `SALVAGE_UNKNOWN` where only rows were kept. */
export async function readPackedChanges(
  place: DumpPlace,
  pack: Pack,
  database: string,
): Promise<PackedChange[]> {
  const file = `${salvageFolder}/${pack.name}/${changesName(database)}`;
  const text = await shellIn(place, 'test ! -e "$1" || { echo there; cat "$1"; }', [file]);
  if (text === "") {
    throw new Refusal({
      code: "SALVAGE_UNKNOWN",
      found: `${pack.name} has no changes of ${database}, only rows as they stood.`,
      untouched: "Nothing was changed.",
      next: `npx rollback salvage show ${database}    # without --changes; rollback:cluster.backup.changes keeps them from now on`,
    });
  }
  return text
    .split("\n")
    .slice(1)
    .filter(Boolean)
    .map((line) => change.parse(parseExactly(line)));
}

/** Changes that fit: of a row as it was before or is since. Pure. */
export function chosenChanges(changes: readonly PackedChange[], filter: RowFilter): PackedChange[] {
  return changes.filter(({ table, old, row: since }) =>
    [old, since ?? (old === undefined ? {} : undefined)].some(
      (each) => each !== undefined && fits(table, each, filter),
    ),
  );
}

function fits(table: string, values: SalvagedRow["row"], { tables, key }: RowFilter): boolean {
  return (
    (tables === undefined || tables.includes(table)) &&
    [...key].every(([column, value]) => textOf(values[column]) === value)
  );
}

/** Writes a file of a pack a line at a time, whole or not at all. */
export async function keepLines(
  place: DumpPlace,
  folder: string,
  name: string,
  lines: Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  await streamIn(place, keepScript, [folder, name], terminated(lines));
}

/** An input that breaks off looks like one that is over, but for the zero byte at its end, which no JSON and no SQL has. */
const keepScript = `mkdir -p "$1"; new="$1/$2.new"; trap 'rm -f "$new"' EXIT
cat > "$new"; [ "$(tail -c 1 "$new" | od -An -tx1)" = " 00" ]
truncate -s -1 "$new"; sync "$new"; mv "$new" "$1/$2"`;

async function* terminated(lines: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
  yield "\0";
}

/** Which rows of a pack are meant; all that is given must fit. */
export interface RowFilter {
  /** Tables as SQL writes them; undefined: any. */
  readonly tables: readonly string[] | undefined;
  /** Values by column, compared as text. */
  readonly key: ReadonlyMap<string, string>;
}

/** Rows that fit. Pure. */
export function chosen(rows: readonly SalvagedRow[], filter: RowFilter): SalvagedRow[] {
  return rows.filter(({ table, row: values }) => fits(table, values, filter));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
