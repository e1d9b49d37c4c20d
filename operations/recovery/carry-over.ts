import type { ClientBase } from "pg";
import { z } from "zod";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { inTransaction, rowsOf } from "../database/query.ts";
import { appendEvent } from "../migrations/ledger/write.ts";
import { dockerPipe } from "./pipe.ts";

export interface CarryOver {
  /** Container and server of the volume recovered from. */
  readonly from: { readonly container: string; readonly server: Server };
  readonly to: { readonly container: string; readonly server: Server };
  readonly databases: readonly string[];
  /** Name on the other side, where it is another one (a database that was made anew beside the old one). */
  readonly as?: string;
  readonly run: string;
  /** Details of the event `recovered`; no secrets. */
  readonly recovered: unknown;
}

/**
 * What was recorded of the stack since the point recovered to is not undone with the data: newer rows of ledger, archive, events
 * and journal are copied, and `recovered` is appended. Rows that are there already are left alone, so it can be repeated.
 */
export async function carryOver(request: CarryOver): Promise<number> {
  let rows = 0;
  for (const database of request.databases) {
    const newer = await withClient(request.from.server, database, readAll);
    rows += await withClient(request.to.server, request.as ?? database, async (client) => {
      const archives = await missingArchives(client, newer.archive);
      if (archives.length > 0) await copyTables(request, database, archives);
      return inTransaction(client, () => writeAll(client, newer, request));
    });
  }
  return rows;
}

const row = z.object({ row: z.record(z.string(), z.unknown()) });
type Row = z.output<typeof row>["row"];
type Tables = Readonly<Record<"migration" | "event" | "archive" | "journal", readonly Row[]>>;

async function readAll(client: ClientBase): Promise<Tables> {
  const read = async (table: string): Promise<Row[]> => {
    const there = await client.query("select from pg_class where oid = to_regclass($1)", [
      `rollback.${table}`,
    ]);
    if (there.rowCount === 0) return [];
    const rows = await rowsOf(
      client,
      row,
      `select to_jsonb(t) as row from rollback.${table} t order by t.id`,
    );
    return rows.map((each) => each.row);
  };
  return {
    migration: await read("migration"),
    event: await read("event"),
    archive: await read("archive"),
    journal: await read("journal"),
  };
}

async function missingArchives(client: ClientBase, archive: readonly Row[]): Promise<string[]> {
  const names = archive.map(({ name }) => z.string().parse(name));
  const there = await client.query<{ name: string }>(
    "select relname as name from pg_class where relnamespace = to_regnamespace('rollback') and relname = any($1)",
    [names],
  );
  const found = new Set(there.rows.map(({ name }) => name));
  return names.filter((name) => !found.has(name));
}

/** Tables of archived rows, with pg_dump: their columns are whatever the dropped ones were. */
async function copyTables(
  { from, to, as }: CarryOver,
  database: string,
  names: readonly string[],
): Promise<void> {
  await dockerPipe(
    [from.container, "pg_dump", "-d", database, ...names.flatMap((name) => ["-t", `rollback."${name}"`])],
    [to.container, "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-1", "-d", as ?? database],
  );
}

async function writeAll(client: ClientBase, newer: Tables, { run, recovered }: CarryOver): Promise<number> {
  const copied = [
    await insertMissing(client, "archive", newer.archive, "name"),
    await insertMissing(client, "journal", newer.journal, "run"),
    await insertMigrations(client, newer.migration),
    await insertEvents(client, newer.event),
  ];
  if (newer.event.length > 0) await appendEvent(client, run, "recovered", recovered);
  return copied.reduce((sum, count) => sum + count, 0);
}

/** Copies rows whose `key` is not there; identity columns are given anew. */
async function insertMissing(
  client: ClientBase,
  table: "archive" | "journal",
  rows: readonly Row[],
  key: string,
): Promise<number> {
  if (rows.length === 0) return 0;
  const columns = Object.keys(rows[0] ?? {}).filter((column) => table !== "journal" || column !== "id");
  const list = columns.map((column) => `"${column}"`).join(", ");
  const { rowCount } = await client.query(
    `insert into rollback.${table} (${list})
     select ${columns.map((column) => `r."${column}"`).join(", ")}
       from jsonb_populate_recordset(null::rollback.${table}, $1::jsonb) r
      where not exists (select from rollback.${table} t where t."${key}" = r."${key}")`,
    [JSON.stringify(rows)],
  );
  return rowCount ?? 0;
}

/** Migrations that are newer than the point recovered to are on record, but are not applied any more. */
async function insertMigrations(client: ClientBase, rows: readonly Row[]): Promise<number> {
  if (rows.length === 0) return 0;
  const columns = Object.keys(rows[0] ?? {}).filter(
    (column) => !["id", "state", "ended_at"].includes(column),
  );
  const { rowCount } = await client.query(
    `insert into rollback.migration (${columns.map((each) => `"${each}"`).join(", ")}, state, ended_at)
     select ${columns.map((each) => `r."${each}"`).join(", ")},
            case when r.state = 'applied' then 'gone' else r.state end, coalesce(r.ended_at, now())
       from jsonb_populate_recordset(null::rollback.migration, $1::jsonb) r
      where not exists (select from rollback.migration t where t.version = r.version and t.applied_at = r.applied_at)
      order by r.id`,
    [JSON.stringify(rows)],
  );
  return rowCount ?? 0;
}

/** The chain goes on with new numbers and hashes; the ones a row had stay in its details. */
async function insertEvents(client: ClientBase, rows: readonly Row[]): Promise<number> {
  if (rows.length === 0) return 0;
  const { rowCount } = await client.query(
    `insert into rollback.event (id, at, by, run, kind, details, previous, hash)
     select 0, r.at, '', r.run, r.kind,
            r.details || jsonb_build_object('carriedOver', jsonb_build_object('id', r.id, 'by', r.by, 'hash', r.hash)), '', ''
       from jsonb_populate_recordset(null::rollback.event, $1::jsonb) r
      where not exists (select from rollback.event t where t.hash = r.hash or t.details->'carriedOver'->>'hash' = r.hash)
      order by r.id`,
    [JSON.stringify(rows)],
  );
  return rowCount ?? 0;
}
