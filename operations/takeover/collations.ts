import { z } from "zod";
import { withClient, type Server } from "../database/connection.ts";
import { identifier, rowsOf } from "../database/query.ts";

/** A database whose texts were sorted by rules other than those of the server that has it now. */
export interface Resorted {
  readonly database: string;
  readonly indexes: number;
}

const databaseRow = z.object({ name: z.string(), differs: z.boolean(), open: z.boolean() });
const nameRow = z.object({ name: z.string() });

/**
 * Databases say by which version of the sorting rules their indexes were built. `is distinct from` also finds those that an
 * image without such versions made (musl), whose order is another one than glibc's.
 */
const databasesSelect = `
  select datname as name, datcollversion is distinct from pg_database_collation_actual_version(oid) as differs,
         datallowconn as open
    from pg_database order by 1`;

/** Indexes over texts whose order depends on such rules, as SQL names them. */
const indexesSelect = `
  select distinct i.indexrelid::regclass::text as name
    from pg_index i join pg_class c on c.oid = i.indexrelid, unnest(i.indcollation) as used(oid) join pg_collation l on l.oid = used.oid
   where c.relkind = 'i' and c.oid >= 16384 and l.collprovider in ('d', 'c', 'i') and l.collname not in ('C', 'POSIX')
   order by 1`;

/** Collations in use by name that were built by other rules. Asked of those only: others may be of locales that are not here. */
const collationsSelect = `
  select distinct format('%I.%I', n.nspname, l.collname) as name
    from pg_attribute a join pg_collation l on l.oid = a.attcollation join pg_namespace n on n.oid = l.collnamespace
   where l.collprovider in ('c', 'i') and l.collname not in ('C', 'POSIX')
     and l.collversion is distinct from pg_collation_actual_version(l.oid)
   order by 1`;

/**
 * Builds the indexes over texts anew where the operating system's sorting rules are not those they were built by: such an
 * index finds some rows no longer. Nobody else may be connected. Safe to repeat; a kill leaves the rest for the next time.
 */
export async function resort(server: Server, say: (line: string) => void): Promise<Resorted[]> {
  const all = await withClient(server, "postgres", (client) => rowsOf(client, databaseRow, databasesSelect));
  const done: Resorted[] = [];
  for (const { name, differs, open } of all) {
    if (!open) {
      // template0: nobody has ever written to it.
      if (differs) await refreshClosed(server, name);
      continue;
    }
    const indexes = await withClient(server, name, async (client) => {
      const collations = await rowsOf(client, nameRow, collationsSelect);
      if (!differs && collations.length === 0) return undefined;
      const found = await rowsOf(client, nameRow, indexesSelect);
      for (const [n, index] of found.entries()) {
        say(`${name}: building ${index.name} anew (${n + 1} of ${found.length})`);
        await client.query(`REINDEX INDEX ${index.name}`);
      }
      for (const collation of collations)
        await client.query(`ALTER COLLATION ${collation.name} REFRESH VERSION`);
      await client.query(`ALTER DATABASE ${identifier(name)} REFRESH COLLATION VERSION`);
      return found.length;
    });
    if (indexes !== undefined && indexes > 0) done.push({ database: name, indexes });
  }
  return done;
}

async function refreshClosed(server: Server, name: string): Promise<void> {
  await withClient(server, "postgres", (client) =>
    client.query(`ALTER DATABASE ${identifier(name)} REFRESH COLLATION VERSION`),
  );
}
