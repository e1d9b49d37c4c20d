import { z } from "zod";
import type { Settings } from "../../../settings/types.ts";
import type { BaseBackup } from "../../archive/info.ts";
import { withClient } from "../../database/connection.ts";
import { rowOf, rowsOf } from "../../database/query.ts";
import { access } from "../../plan/access.ts";
import { usableBackups, gapIn, type Archived } from "../locate.ts";
import { readWal, type WalContents } from "../read.ts";
import { refuseRecovery } from "../refusals.ts";
import { segmentName, segmentStart } from "../segments.ts";
import { parseLsn } from "../wal.ts";
import type { Tables } from "./damage.ts";

/** A stretch of WAL that is searched, from where a base backup is consistent to now. */
export interface Scan {
  readonly backup: BaseBackup;
  readonly from: bigint;
  /** Ends of transactions before the backup was consistent are left out: nothing can be recovered to there. */
  readonly contents: WalContents;
}

/** Reads the WAL since the newest base backup that was complete at `since` (milliseconds), or else since the oldest. */
export async function scanSince(
  { reader, info, way, end, archived }: Archived,
  since: number,
): Promise<Scan> {
  const usable = usableBackups(info.backups, way);
  const backup = usable.findLast(({ stoppedAt }) => stoppedAt <= since) ?? usable[0];
  if (backup === undefined) {
    throw refuseRecovery(
      "BEFORE_BACKUP_END",
      "there is no base backup to begin from on this timeline.",
      "Make one for the next time:  npx rollback backup --type full",
    );
  }
  const from = segmentStart(segmentName(backup.timeline, parseLsn(backup.startLsn)));
  const contents = await readWal(reader, way, from, end);
  if ("gap" in contents) throw gapIn(contents.gap, way, from, end, archived);
  const consistent = parseLsn(backup.stopLsn);
  const endings = contents.endings.filter(({ lsn }) => lsn >= consistent);
  return { backup, from, contents: { ...contents, endings } };
}

/** The tables of a database of the stack as they are now; what the program itself keeps does not count. */
export async function tablesOf(settings: Settings, database: string): Promise<Tables> {
  return withClient(access(settings), database, async (client) => {
    const { oid } = await rowOf(
      client,
      z.object({ oid: z.string() }),
      "select oid::text from pg_database where datname = current_database()",
    );
    const rows = await rowsOf(
      client,
      z.object({ number: z.string(), file: z.string(), name: z.string() }),
      `select c.oid::text as number, pg_relation_filenode(c.oid)::text as file, format('%I.%I', n.nspname, c.relname) as name
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'm') and pg_relation_filenode(c.oid) is not null
          and n.nspname not in ('pg_catalog', 'information_schema', 'rollback') and n.nspname !~ '^pg_t(emp|oast)'`,
    );
    return {
      database: oid,
      byFile: new Map(rows.map(({ file, number }) => [file, number])),
      names: new Map(rows.map(({ number, name }) => [number, name])),
    };
  });
}

/** A table's rows now; undefined: there is no such table. */
export async function countNow(
  settings: Settings,
  database: string,
  table: string,
): Promise<number | undefined> {
  return withClient(access(settings), database, async (client) => {
    const there = await client.query("select from pg_class where oid = to_regclass($1)", [table]);
    if (there.rowCount === 0) return undefined;
    const { count } = await rowOf(
      client,
      z.object({ count: z.coerce.number() }),
      `select count(*) from ${table}`,
    );
    return count;
  });
}
