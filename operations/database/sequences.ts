import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "./query.ts";

const ownedSchema = z.object({ sequence: z.string(), table: z.string(), column: z.string() });

/**
 * Sequences of columns go on behind the highest value that stands in their column: rows that were written with their numbers have
 * not drawn them, and the next row would be given one that is taken. Never sets one back. `tables` as SQL writes them; default all.
 * Not undone by a rollback, as nothing about a sequence is.
 */
export async function advanceSequences(client: ClientBase, tables?: readonly string[]): Promise<void> {
  const owned = await rowsOf(client, ownedSchema, ownedSelect, [tables ?? null]);
  for (const { sequence, table, column } of owned) {
    await client.query(
      `select setval($1, m.most)
         from (select max(${column})::bigint as most from ${table}) m, pg_sequence s
        where s.seqrelid = $1::regclass and s.seqincrement > 0
              and m.most between greatest(s.seqmin, coalesce(pg_sequence_last_value(s.seqrelid) + 1, s.seqstart)) and s.seqmax`,
      [sequence],
    );
  }
}

const ownedSelect = `
  select s.oid::regclass::text as sequence, d.refobjid::regclass::text as "table", quote_ident(a.attname) as "column"
    from pg_class s join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
         join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
   where s.relkind = 'S' and s.relnamespace is distinct from to_regnamespace('rollback')
         and ($1::text[] is null or d.refobjid = any(select to_regclass(name) from unnest($1::text[]) name))`;
