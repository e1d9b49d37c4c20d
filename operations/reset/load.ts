import { z } from "zod";
import { tableSql } from "../../settings/identifiers.ts";
import type { Database } from "../../settings/types.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { identifier, rowOf, rowsOf } from "../database/query.ts";
import { layoutReader } from "../migrations/layouts/index.ts";
import { qualified } from "../recovery/find/find.ts";

const tableSchema = z.object({ schema: z.string(), name: z.string() });
type Table = z.output<typeof tableSchema>;

/** Tables of the application; partitioned ones by their partitions. */
const tablesSelect = `
  select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'rollback') and n.nspname !~ '^pg_'
     and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
   order by 1, 2`;

const sqlOf = ({ schema, name }: Table): string => `${identifier(schema)}.${identifier(name)}`;

/** Empties the tables that are loaded, all in one statement. The migrations' own table is never one of them. */
export async function emptyTables(
  server: Server,
  name: string,
  database: Database,
  tables: readonly string[] | undefined,
): Promise<Table[]> {
  const { trackingTable } = await layoutReader(database);
  const wanted = tables?.map(qualified);
  return withClient(server, name, async (client) => {
    const all = await rowsOf(client, tableSchema, tablesSelect);
    const chosen = all.filter(
      (table) =>
        table.name !== trackingTable.table &&
        (wanted === undefined || wanted.includes(tableSql(sqlOf(table)))),
    );
    if (chosen.length > 0) await client.query(`truncate ${chosen.map(sqlOf).join(", ")}`);
    return chosen;
  });
}

/** Sequences of columns go on after the highest value that was loaded. */
export async function setSequences(server: Server, name: string): Promise<void> {
  await withClient(server, name, async (client) => {
    const owned = await rowsOf(
      client,
      z.object({ sequence: z.string(), table: z.string(), column: z.string() }),
      `select s.oid::regclass::text as sequence, d.refobjid::regclass::text as "table", quote_ident(a.attname) as "column"
         from pg_class s join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
              join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where s.relkind = 'S' and s.relnamespace <> to_regnamespace('rollback')`,
    );
    for (const { sequence, table, column } of owned)
      await client.query(`select setval($1, max(${column})) from ${table} having max(${column}) > 0`, [
        sequence,
      ]);
  });
}

/** Foreign keys that do not hold, with the number of rows; empty: all hold. */
export async function orphansOf(server: Server, name: string): Promise<string[]> {
  return withClient(server, name, async (client) => {
    const keys = await rowsOf(
      client,
      z.object({
        name: z.string(),
        child: z.string(),
        parent: z.string(),
        on: z.string(),
        given: z.string(),
      }),
      `select c.conname as name, c.conrelid::regclass::text as child, c.confrelid::regclass::text as parent,
              string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' and ') as "on",
              string_agg(format('c.%I is not null', ca.attname), ' and ') as given
         from pg_constraint c cross join lateral unnest(c.conkey, c.confkey) k(child, parent)
              join pg_attribute ca on ca.attrelid = c.conrelid and ca.attnum = k.child
              join pg_attribute pa on pa.attrelid = c.confrelid and pa.attnum = k.parent
        where c.contype = 'f' and c.convalidated and c.connamespace <> to_regnamespace('rollback') group by c.oid, 1, 2, 3`,
    );
    const broken: string[] = [];
    for (const { name: key, child, parent, on, given } of keys) {
      const { count } = await rowOf(
        client,
        z.object({ count: z.coerce.number() }),
        `select count(*) from ${child} c where ${given} and not exists (select from ${parent} p where ${on})`,
      );
      if (count > 0) broken.push(`${key} of ${child}: ${count}`);
    }
    return broken;
  });
}

/** Rows by table. */
export async function rowCounts(server: Server, name: string): Promise<Record<string, number>> {
  return withClient(server, name, async (client) => {
    const counts: Record<string, number> = {};
    for (const table of await rowsOf(client, tableSchema, tablesSelect)) {
      const { count } = await rowOf(
        client,
        z.object({ count: z.coerce.number() }),
        `select count(*) from ${sqlOf(table)}`,
      );
      counts[`${table.schema}.${table.name}`] = count;
    }
    return counts;
  });
}
