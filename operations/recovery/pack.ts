import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { dumpsFolder, shellIn, type DumpPlace } from "../backup/place.ts";
import type { SalvagedRow } from "./salvage.ts";

/** What a recovery left out, as it lies in the repository. */
export interface Pack {
  /** The run that recovered. */
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
  readonly databases: readonly string[];
}

const folder = `${dumpsFolder}/salvage`;

/** All packs, newest first. */
export async function listPacks(place: DumpPlace): Promise<Pack[]> {
  const script = `cd "$1" 2>/dev/null || exit 0; find . -mindepth 2 -maxdepth 2 -name '*.jsonl' -printf '%T@ %P\\n'`;
  const printed = await shellIn(place, script, [folder]);
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
  const text = await shellIn(place, 'cat "$1"', [`${folder}/${pack.name}/${database}.jsonl`]);
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => row.parse(JSON.parse(line)));
}

/** Which rows of a pack are meant; all that is given must fit. */
export interface RowFilter {
  /** Tables as SQL writes them; undefined: any. */
  readonly tables: readonly string[] | undefined;
  /** Values by column, compared as text. */
  readonly key: ReadonlyMap<string, string>;
}

/** Rows that fit. Pure. */
export function chosen(rows: readonly SalvagedRow[], { tables, key }: RowFilter): SalvagedRow[] {
  return rows.filter(
    (each) =>
      (tables === undefined || tables.includes(each.table)) &&
      [...key].every(([column, value]) => textOf(each.row[column]) === value),
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
