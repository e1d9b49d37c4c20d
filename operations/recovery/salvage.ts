import type { ClientBase } from "pg";
import { z } from "zod";
import { tableSql } from "../../settings/identifiers.ts";
import { dumpsFolder, shellIn, type DumpPlace } from "../backup/place.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { literal, rowsOf } from "../database/query.ts";
import type { TableLoss } from "./losses.ts";
import type { Ending } from "./wal.ts";

export interface SalvageRequest {
  readonly place: DumpPlace;
  /** Server that is left, behind the fence. */
  readonly server: Server;
  /** Server that is gone to; what it still has and the other has not was deleted since. */
  readonly target: Server;
  readonly losses: readonly TableLoss[];
  readonly lost: readonly Ending[];
  /** Folder below `salvage/` of the repository. */
  readonly name: string;
}

const record = z.object({ row: z.record(z.string(), z.unknown()) });

/** One row that a recovery leaves out. */
export interface SalvagedRow {
  readonly database: string;
  readonly table: string;
  /** `write`: inserted or updated, with what it holds now; `delete`: with what it held. */
  readonly change: "write" | "delete";
  readonly row: Readonly<Record<string, unknown>>;
}

/**
 * Keeps what a recovery leaves out: per database `<database>.jsonl`, and `<database>.sql` with a statement of its own for each row,
 * so that any of them can be run again by itself. Of a row that was changed several times the last state is kept.
 * @returns number of rows.
 */
export async function salvage({
  place,
  server,
  target,
  losses,
  lost,
  name,
}: SalvageRequest): Promise<number> {
  const xids = lost.flatMap(({ xid, subxids }) => [xid, ...subxids]);
  const folder = `${dumpsFolder}/salvage/${name}`;
  let count = 0;
  for (const database of new Set(losses.map((loss) => loss.database))) {
    const tables = losses.filter((loss) => loss.database === database && !loss.table.startsWith("("));
    const rows: SalvagedRow[] = [];
    const statements: string[] = [];
    for (const loss of tables) {
      const table = tableSql(loss.table);
      const { written, keys, key } = await withClient(server, database, async (client) => {
        const columns = await primaryKey(client, table);
        return {
          key: columns,
          written: await rowsOf(
            client,
            record,
            `select to_jsonb(t) as row from ${table} t where xmin::text = any($1)`,
            [xids],
          ),
          keys: loss.deleted > 0 && columns.length > 0 ? await keysOf(client, table, columns) : undefined,
        };
      });
      const deleted = keys === undefined ? [] : await without(target, database, table, key, keys);
      rows.push(
        ...written.map(({ row }) => ({ database, table: loss.table, change: "write" as const, row })),
        ...deleted.map((row) => ({ database, table: loss.table, change: "delete" as const, row })),
      );
      statements.push(
        ...written.map(({ row }) => writeSql(table, key, row)),
        ...deleted.map((row) => deleteSql(table, key, row)),
      );
    }
    await keep(place, folder, `${database}.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await keep(place, folder, `${database}.sql`, statements.map((statement) => `${statement}\n`).join(""));
    count += rows.length;
  }
  return count;
}

async function keep(place: DumpPlace, folder: string, name: string, text: string): Promise<void> {
  await shellIn(
    place,
    'mkdir -p "$1"; cat > "$1/$2.new"; sync "$1/$2.new"; mv "$1/$2.new" "$1/$2"',
    [folder, name],
    {
      input: text,
    },
  );
}

async function primaryKey(client: ClientBase, table: string): Promise<string[]> {
  const rows = await rowsOf(
    client,
    z.object({ name: z.string() }),
    `select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
      where i.indrelid = to_regclass($1) and i.indisprimary order by array_position(i.indkey::int2[], a.attnum)`,
    [table],
  );
  return rows.map(({ name }) => name);
}

const keySql = (key: readonly string[]): string =>
  `jsonb_build_array(${key.map((column) => `t.${quoted(column)}`).join(", ")})`;

async function keysOf(client: ClientBase, table: string, key: readonly string[]): Promise<unknown> {
  const [all] = await rowsOf(
    client,
    z.object({ keys: z.unknown() }),
    `select coalesce(jsonb_agg(${keySql(key)}), '[]') as keys from ${table} t`,
  );
  return all?.keys ?? [];
}

async function without(
  server: Server,
  database: string,
  table: string,
  key: readonly string[],
  keys: unknown,
): Promise<SalvagedRow["row"][]> {
  return withClient(server, database, async (client) => {
    const there = await client.query("select from pg_class where oid = to_regclass($1)", [table]);
    if (there.rowCount === 0) return [];
    const rows = await rowsOf(
      client,
      record,
      `select to_jsonb(t) as row from ${table} t
        where ${keySql(key)} not in (select jsonb_array_elements($1::jsonb))`,
      [JSON.stringify(keys)],
    );
    return rows.map(({ row }) => row);
  });
}

/** A statement that puts one row back as it was last; repeatable where the table has a key. */
export function writeSql(table: string, key: readonly string[], row: SalvagedRow["row"]): string {
  const columns = Object.keys(row);
  const list = columns.map(quoted).join(", ");
  const others = columns.filter((column) => !key.includes(column));
  const conflict =
    key.length === 0
      ? ""
      : ` ON CONFLICT (${key.map(quoted).join(", ")}) DO ${others.length === 0 ? "NOTHING" : `UPDATE SET ${others.map((column) => `${quoted(column)} = excluded.${quoted(column)}`).join(", ")}`}`;
  return `INSERT INTO ${table} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM jsonb_populate_record(NULL::${table}, ${literal(JSON.stringify(row))})${conflict};`;
}

function deleteSql(table: string, key: readonly string[], row: SalvagedRow["row"]): string {
  return `DELETE FROM ${table} t WHERE ${keySql(key)} = (SELECT ${keySql(key)} FROM jsonb_populate_record(NULL::${table}, ${literal(JSON.stringify(row))}) t);`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
