import { z } from "zod";
import type { ConnectionOptions, Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { advanceSequences } from "../database/sequences.ts";
import { identifier, rowOf, rowsOf } from "../database/query.ts";

const tableSchema = z.object({ schema: z.string(), name: z.string() });
export type Table = z.output<typeof tableSchema>;

/** Tables of the application; partitioned ones by their partitions. */
const tablesSelect = `
  select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'rollback') and n.nspname !~ '^pg_'
     and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
   order by 1, 2`;

/** A table as SQL writes it, quoted, with its schema. */
export const sqlOf = ({ schema, name }: Table): string => `${identifier(schema)}.${identifier(name)}`;

/**
 * Empties the tables of a new database that are loaded: what migrations inserted gives way. Referring rows stay: they are checked when
 * everything is loaded. @returns those of `wanted` (quoted, with their schema) that there are.
 */
export async function emptyTables(
  server: Server,
  name: string,
  wanted: readonly string[],
  options: ConnectionOptions,
): Promise<Table[]> {
  return withClient(
    server,
    name,
    async (client) => {
      const all = await rowsOf(client, tableSchema, tablesSelect);
      const chosen = all.filter((table) => wanted.includes(sqlOf(table)));
      // TRUNCATE would ask for every table that refers to one of these.
      await client.query("set session_replication_role = replica");
      for (const table of chosen) await client.query(`delete from ${sqlOf(table)}`);
      return chosen;
    },
    options,
  );
}

/** Sequences of columns go on after the highest value that was loaded. */
export async function setSequences(server: Server, name: string, options: ConnectionOptions): Promise<void> {
  await withClient(server, name, (client) => advanceSequences(client), options);
}

/** Foreign keys that do not hold, with the number of rows; empty: all hold. */
export async function orphansOf(server: Server, name: string, options: ConnectionOptions): Promise<string[]> {
  return withClient(
    server,
    name,
    async (client) => {
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
    },
    options,
  );
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
