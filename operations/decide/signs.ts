import type { ClientBase } from "pg";
import { z } from "zod";
import { isAbsent } from "../database/errors.ts";
import { rowsOf } from "../database/query.ts";
import { qualified } from "../database/tables.ts";

/** Something that speaks for damaged data. */
export interface Sign {
  readonly database: string;
  readonly text: string;
}

/**
 * What the server itself knows that speaks for damage: pages whose checksum was wrong, indexes that are invalid, key
 * tables that held rows and hold none. Wrong values in sound rows no server can tell: that only people see.
 */
export async function signsOfDamage(
  client: ClientBase,
  database: string,
  keyTables: readonly string[],
): Promise<Sign[]> {
  const text = z.object({ text: z.string() });
  const found = await rowsOf(
    client,
    text,
    `select checksum_failures || ' pages failed their checksum, last ' || checksum_last_failure as text
       from pg_stat_database where datname = current_database() and checksum_failures > 0
     union all
     select 'index ' || indexrelid::regclass || ' is invalid' from pg_index where not indisvalid`,
  );
  const emptied: { text: string }[] = [];
  for (const table of keyTables) {
    emptied.push(
      ...(await rowsOf(
        client,
        text,
        `select relname || ' is empty, and ' || greatest(n_tup_ins, n_tup_del) || ' rows were in it' as text
           from pg_stat_user_tables where relid = to_regclass($1) and n_tup_ins > 0
            and not exists (select from ${qualified(table)})`,
        [qualified(table)],
      )),
    );
  }
  return [...found, ...emptied].map((sign) => ({ database, text: sign.text }));
}

/** Rows of a table that were inserted or changed after an instant. */
export interface Written {
  readonly database: string;
  readonly table: string;
  readonly rows: number;
}

/**
 * Rows of the key tables that were written after `since` (ISO 8601) and are still there, told by their commit time
 * (`track_commit_timestamp`); what going back to that instant would lose. undefined: the server does not keep commit times.
 */
export async function writtenSince(
  client: ClientBase,
  database: string,
  keyTables: readonly string[],
  since: string,
): Promise<Written[] | undefined> {
  const [setting] = await rowsOf(
    client,
    z.object({ on: z.boolean() }),
    "select current_setting('track_commit_timestamp')::boolean as on",
  );
  if (setting?.on !== true) return undefined;
  const written: Written[] = [];
  for (const table of keyTables) {
    // Frozen rows and those from before the setting have no commit time: they are older than any release.
    const rows = await rowsOf(
      client,
      z.object({ rows: z.coerce.number() }),
      `select count(*) as rows from ${qualified(table)}
        where xmin::text::bigint > 2 and pg_xact_commit_timestamp(xmin) > $1::timestamptz`,
      [since],
    ).catch((error: unknown) => {
      // A key table that is not there yet has lost nothing.
      if (isAbsent(error)) return [];
      throw error;
    });
    written.push({ database, table, rows: rows[0]?.rows ?? 0 });
  }
  return written;
}
