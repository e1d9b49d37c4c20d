import { z } from "zod";
import type { TestDatabases } from "./migrations.ts";

/** Rows of every table of the application, by schema and name. */
export type TableData = ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;

const table = z.object({ schema: z.string(), name: z.string() });
const row = z.object({ row: z.record(z.string(), z.unknown()) });

/** Reads all rows of all tables outside of the schemas given and the tracking tables of the tools in `public`. */
export async function tableData(
  databases: TestDatabases,
  database: string,
  ignored: readonly string[],
): Promise<TableData> {
  const tables = await databases.sql(
    database,
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema|rollback$)'`,
  );
  const data = new Map<string, Record<string, unknown>[]>();
  for (const found of tables) {
    const { schema, name } = table.parse(found);
    if (ignored.includes(schema) || ignored.includes(`${schema}.${name}`)) continue;
    const quoted = [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
    const rows = await databases.sql(database, `SELECT to_jsonb(t) AS row FROM ONLY ${quoted} t`);
    const partitioned =
      rows.length > 0 ? rows : await databases.sql(database, `SELECT to_jsonb(t) AS row FROM ${quoted} t`);
    data.set(
      `${schema}.${name}`,
      partitioned.map((each) => row.parse(each).row),
    );
  }
  return data;
}

/**
 * Rows of `before` that are not in `after`, looking at the columns that a table has in both, by table; tables without such
 * rows are left out, and tables that are not there any more are whole.
 */
export function missingRows(before: TableData, after: TableData): Map<string, number> {
  const missing = new Map<string, number>();
  for (const [name, rows] of before) {
    const rest = after.get(name);
    if (rest === undefined) {
      if (rows.length > 0) missing.set(name, rows.length);
      continue;
    }
    const [first] = rest;
    const columns = Object.keys(first ?? {}).filter((column) => rows.every((each) => column in each));
    const key = (each: Readonly<Record<string, unknown>>) =>
      JSON.stringify(columns.map((column) => each[column]));
    const left = new Map<string, number>();
    for (const each of rest) left.set(key(each), (left.get(key(each)) ?? 0) + 1);
    let gone = 0;
    for (const each of rows) {
      const count = left.get(key(each)) ?? 0;
      if (count === 0) gone++;
      else left.set(key(each), count - 1);
    }
    if (gone > 0) missing.set(name, gone);
  }
  return missing;
}
