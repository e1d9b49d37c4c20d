import type { ClientBase } from "pg";
import { z } from "zod";
import { tableSql } from "../../settings/identifiers.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { isAbsent, sqlState } from "../database/errors.ts";
import { identifier, rowsOf } from "../database/query.ts";
import { parseExactly } from "./exact-json.ts";
import type { TableLoss } from "./losses.ts";
import type { TableRows } from "./salvaged.ts";

const rowText = z.object({
  row: z.string().transform((text) => z.record(z.string(), z.unknown()).parse(parseExactly(text))),
});
type Row = z.output<typeof rowText>["row"];

/**
 * Rows of a table as they stand: those whose last writer is among the lost transactions, and those that the target has and this
 * server has not any more. Undefined: the table is gone.
 */
export async function rowsAsTheyStand(
  { server, target }: { readonly server: Server; readonly target: Server },
  { database, table, deleted }: Pick<TableLoss, "database" | "table" | "deleted">,
  xids: readonly string[],
): Promise<TableRows | undefined> {
  const sql = tableSql(table);
  const here = await withClient(server, database, async (client) => {
    if (!(await exists(client, sql))) return undefined;
    const key = await primaryKey(client, sql);
    return {
      key,
      written: await rowsOf(
        client,
        rowText,
        `select to_jsonb(t)::text as row from ${sql} t where xmin::text = any($1)`,
        [xids],
      ),
      keys: deleted > 0 && key.length > 0 ? await keysOf(client, sql, key) : undefined,
    };
  });
  if (here === undefined) return undefined;
  const { key, written, keys } = here;
  return {
    key,
    written: written.map(({ row }) => row),
    deleted:
      keys === undefined
        ? []
        : await inDatabase(target, database, [], (client) => without(client, sql, key, keys)),
  };
}

/** Whether there is such a table with these columns. */
async function exists(client: ClientBase, table: string, columns: readonly string[] = []): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_class c where c.oid = to_regclass($1)
        and cardinality($2::text[]) = (select count(*) from pg_attribute a
              where a.attrelid = c.oid and a.attname = any($2) and not a.attisdropped)`,
    [table, columns],
  );
  return rowCount !== 0;
}

/** Columns of the primary key; empty where there is none, or no such table. */
export async function primaryKey(client: ClientBase, table: string): Promise<string[]> {
  const rows = await rowsOf(
    client,
    z.object({ name: z.string() }),
    `select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
      where i.indrelid = to_regclass($1) and i.indisprimary order by array_position(i.indkey::int2[], a.attnum)`,
    [table],
  );
  return rows.map(({ name }) => name);
}

/** SQL for the key of `t` as a JSON array. Pure. */
export const keySql = (key: readonly string[]): string =>
  `jsonb_build_array(${key.map((column) => `t.${identifier(column)}`).join(", ")})`;

async function keysOf(client: ClientBase, table: string, key: readonly string[]): Promise<string> {
  const [all] = await rowsOf(
    client,
    z.object({ keys: z.string() }),
    `select coalesce(jsonb_agg(${keySql(key)}), '[]')::text as keys from ${table} t`,
  );
  return all?.keys ?? "[]";
}

async function without(
  client: ClientBase,
  table: string,
  key: readonly string[],
  keys: string,
): Promise<Row[]> {
  if (!(await exists(client, table, key))) return [];
  const rows = await rowsOf(
    client,
    rowText,
    `select to_jsonb(t)::text as row from ${table} t
      where ${keySql(key)} not in (select jsonb_array_elements($1::jsonb))`,
    [keys],
  );
  return rows.map(({ row }) => row);
}

/** As `withClient`; `otherwise` where the server has no such database: on the side gone to it may be younger than the target. */
export async function inDatabase<T>(
  server: Server,
  database: string,
  otherwise: T,
  work: (client: ClientBase) => Promise<T>,
): Promise<T> {
  try {
    return await withClient(server, database, work);
  } catch (error) {
    if (isAbsent(error)) return otherwise;
    throw error;
  }
}

/** Rows in full by their keys; those that are not there are left out. */
export async function rowsByKey(
  client: ClientBase,
  table: string,
  key: readonly string[],
  keys: readonly Row[],
): Promise<Row[]> {
  const sql = tableSql(table);
  if (keys.length === 0 || !(await exists(client, sql, key))) return [];
  const on = key.map((column) => `t.${identifier(column)} = k.${identifier(column)}`).join(" and ");
  try {
    const rows = await rowsOf(
      client,
      rowText,
      `select to_jsonb(t)::text as row from jsonb_populate_recordset(null::${sql}, $1::jsonb) k join ${sql} t on ${on}`,
      [JSON.stringify(keys)],
    );
    return rows.map(({ row }) => row);
  } catch (error) {
    // The key is of another type there, which cannot hold these.
    if (sqlState(error)?.startsWith("22") === true) return [];
    throw error;
  }
}
