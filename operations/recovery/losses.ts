import type { Database } from "../../settings/types.ts";
import { layoutReader } from "../migrations/layouts/index.ts";
import { z } from "zod";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { rowOf, rowsOf } from "../database/query.ts";
import type { Writes } from "./read.ts";
import type { Ending } from "./wal.ts";

/** Rows of one table that were written by transactions which a recovery leaves out. */
export interface TableLoss {
  readonly database: string;
  /** As SQL writes it; `(dropped or rewritten since)` where the file is nobody's any more. */
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

const gone = "(dropped or rewritten since)";

/** Sums up by table what the lost transactions wrote; catalogues, TOAST, the ledger and the migrations' own table do not count. */
export async function lossesOf(
  server: Server,
  databases: readonly Database[],
  writes: readonly Writes[],
  lost: readonly Ending[],
): Promise<TableLoss[]> {
  const xids = new Set(lost.flatMap(({ xid, subxids }) => [xid, ...subxids]));
  const relevant = writes.filter(({ xid }) => xids.has(xid));
  if (relevant.length === 0) return [];
  const losses = new Map<string, TableLoss>();
  for (const each of databases) {
    const database = each.name;
    const { trackingTable } = await layoutReader(each);
    const { oid, files } = await filesOf(server, database, trackingTable.table);
    for (const write of relevant) {
      const [, writtenIn, file = ""] = write.file.split("/");
      if (writtenIn !== oid) continue;
      const table = files.get(file) ?? (Number(file) < 16_384 ? undefined : gone);
      if (table === undefined || table === "") continue;
      const key = `${database}\0${table}`;
      const sum = losses.get(key) ?? { database, table, inserted: 0, updated: 0, deleted: 0 };
      losses.set(key, {
        ...sum,
        inserted: sum.inserted + write.inserted,
        updated: sum.updated + write.updated,
        deleted: sum.deleted + write.deleted,
      });
    }
  }
  return [...losses.values()].sort((a, b) => (a.table < b.table ? -1 : 1));
}

/** File of each relation; the empty name stands for what does not count. */
async function filesOf(
  server: Server,
  database: string,
  tracking: string,
): Promise<{ readonly oid: string; readonly files: ReadonlyMap<string, string> }> {
  return withClient(server, database, async (client) => {
    const { oid } = await rowOf(
      client,
      z.object({ oid: z.string() }),
      "select oid::text from pg_database where datname = current_database()",
    );
    const rows = await rowsOf(
      client,
      z.object({ file: z.string(), name: z.string() }),
      `select pg_relation_filenode(c.oid)::text as file,
              case when c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'rollback')
                        and c.relname <> $1
                   then format('%I.%I', n.nspname, c.relname) else '' end as name
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where pg_relation_filenode(c.oid) is not null`,
      [tracking],
    );
    return { oid, files: new Map(rows.map(({ file, name }) => [file, name])) };
  });
}

/** How many rows that is; what became of files that nobody owns any more counts as well. */
export function lostRows(losses: readonly TableLoss[]): number {
  return losses.reduce((sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted, 0);
}

/** A line per table. */
export function describeLosses(losses: readonly TableLoss[]): string[] {
  return losses.map(
    ({ database, table, inserted, updated, deleted }) =>
      `${database} ${table}: ${inserted} inserted, ${updated} updated, ${deleted} deleted`,
  );
}
