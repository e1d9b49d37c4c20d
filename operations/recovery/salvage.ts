import { tableSql } from "../../settings/identifiers.ts";
import type { Database } from "../../settings/types.ts";
import type { DumpPlace } from "../backup/place.ts";
import type { Server } from "../database/connection.ts";
import { identifier, literal } from "../database/query.ts";
import type { TableLoss } from "./losses.ts";
import { keepLines, salvageFolder } from "./pack.ts";
import { followed, putTogether, type SalvagedRow, type TableRows } from "./salvaged.ts";
import { complete } from "./slot/complete.ts";
import { describeRecord, recordOf, type ChangeRecord } from "./slot/record.ts";
import type { Row } from "./slot/changes.ts";
import { inDatabase, keySql, rowsAsTheyStand } from "./stands.ts";
import type { Ending } from "./wal.ts";

export interface SalvageRequest {
  readonly place: DumpPlace;
  /** Server that is left, behind the fence. */
  readonly server: Server;
  /** Server that is gone to; what it still has and the other has not was deleted since. */
  readonly target: Server;
  readonly databases: readonly Database[];
  readonly losses: readonly TableLoss[];
  readonly lost: readonly Ending[];
  /** Folder below `salvage/` of the repository. */
  readonly name: string;
  /** Whether every change is to be on record (`cluster.backup.changes`), so that it is said where it is not. */
  readonly changes: boolean;
}

/** What was kept. */
export interface Salvaged {
  readonly rows: number;
  /** What is on record of the changes themselves, a line for each database. */
  readonly lines: readonly string[];
}

/**
 * Keeps what a recovery leaves out: per database `<database>.jsonl`, and `<database>.sql` with a statement of its own for each row,
 * so that any of them can be run again by itself; of a row that was changed several times the last state. Where a slot has the
 * changes, `<database>.changes.jsonl` has each of them, and rows of tables that were dropped or emptied since are kept as well.
 */
export async function salvage(request: SalvageRequest): Promise<Salvaged> {
  const lines: string[] = [];
  let rows = 0;
  for (const database of request.databases) {
    const losses = request.losses.filter((loss) => loss.database === database.name);
    if (losses.length === 0) continue;
    const record = await recordOf({ ...request, database });
    lines.push(...describeRecord(database.name, record, request.changes));
    rows += await keepRows(request, database.name, losses, record);
  }
  return { rows, lines };
}

async function keepRows(
  request: SalvageRequest,
  database: string,
  losses: readonly TableLoss[],
  record: ChangeRecord,
): Promise<number> {
  const xids = request.lost.flatMap(({ xid, subxids }) => [xid, ...subxids]);
  const counted = new Map(
    losses.filter(({ table }) => !table.startsWith("(")).map((loss) => [loss.table, loss]),
  );
  const kept: SalvagedRow[] = [];
  const statements: string[] = [];
  for (const table of new Set([...counted.keys(), ...record.nets.keys()])) {
    const net = record.nets.get(table);
    const told = record.whole && net !== undefined && followed(net);
    const deleted = told ? 0 : (counted.get(table)?.deleted ?? 0);
    const stands = await rowsAsTheyStand(request, { database, table, deleted }, xids);
    const recorded =
      net === undefined
        ? undefined
        : await inDatabase(
            request.target,
            database,
            { net, deleted: [], filled: new Map<string, Row>() },
            (client) => complete(client, table, net),
          );
    const rows = putTogether(stands, recorded, record.whole);
    kept.push(...asPack(database, table, rows));
    statements.push(...asSql(tableSql(table), rows));
  }
  const folder = `${salvageFolder}/${request.name}`;
  await keepLines(
    request.place,
    folder,
    `${database}.jsonl`,
    kept.map((row) => JSON.stringify(row)),
  );
  await keepLines(request.place, folder, `${database}.sql`, statements);
  return kept.length;
}

function asPack(database: string, table: string, { written, deleted }: TableRows): SalvagedRow[] {
  return [
    ...written.map((row) => ({ database, table, change: "write" as const, row })),
    ...deleted.map((row) => ({ database, table, change: "delete" as const, row })),
  ];
}

function asSql(table: string, { key, written, deleted }: TableRows): string[] {
  return [
    ...written.map((row) => writeSql(table, key, row)),
    ...deleted.map((row) => deleteSql(table, key, row)),
  ];
}

/** A statement that puts one row back as it was last; repeatable where the table has a key. */
export function writeSql(table: string, key: readonly string[], row: SalvagedRow["row"]): string {
  const columns = Object.keys(row);
  const list = columns.map(identifier).join(", ");
  const others = columns.filter((column) => !key.includes(column));
  const conflict =
    key.length === 0
      ? ""
      : ` ON CONFLICT (${key.map(identifier).join(", ")}) DO ${others.length === 0 ? "NOTHING" : `UPDATE SET ${others.map((column) => `${identifier(column)} = excluded.${identifier(column)}`).join(", ")}`}`;
  return `INSERT INTO ${table} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM jsonb_populate_record(NULL::${table}, ${literal(JSON.stringify(row))})${conflict};`;
}

function deleteSql(table: string, key: readonly string[], row: SalvagedRow["row"]): string {
  return `DELETE FROM ${table} t WHERE ${keySql(key)} = (SELECT ${keySql(key)} FROM jsonb_populate_record(NULL::${table}, ${literal(JSON.stringify(row))}) t);`;
}
