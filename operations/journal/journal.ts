import type { ClientBase } from "pg";
import { z } from "zod";
import type { ConnectionOptions, Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { isAbsent } from "../database/errors.ts";
import { rowOf, rowsOf } from "../database/query.ts";
import { ensureTable } from "../database/schema.ts";

/**
 * Whose journal: after a recovery (new timeline) or on another server the old rows are not about this state any more, and a
 * run there starts afresh.
 */
export interface JournalKey {
  /** `project/stack`. */
  readonly stack: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** What is recorded of a run. JSON values must not hold secrets: names and keyed hashes only. */
export interface RunRecord {
  readonly run: string;
  /** Shared by all effects of the run. */
  readonly revision: string;
  readonly kind: string;
  /** What the run was given; compared by the next run to tell whether anything changed. */
  readonly inputs: Json;
  /** What was live before and after, e.g. releases with weights and schema versions. */
  readonly from: Json;
  readonly to: Json;
  /** Who typed it, e.g. `user@host`. */
  readonly by: string;
}

export interface OpenRun extends RunRecord {
  /** ISO times with zone, by the database server's clock. */
  readonly startedAt: string;
}

export interface FinishedRun extends OpenRun {
  readonly finishedAt: string;
}

/** A way back that is safe but has not been gone yet: what to go back to and the command that does it. */
export interface WayBack {
  readonly run: string;
  readonly reason: string;
  readonly command: string;
  readonly since: string;
}

export interface Journal {
  /** The last run that came to its end. Undefined when there is none for this key, or no database to ask. */
  readonly finished: FinishedRun | undefined;
  /** A run that was opened after that and has not finished: it failed, was killed, or is at work. */
  readonly open: OpenRun | undefined;
  readonly wayBack: WayBack | undefined;
}

export type Json = z.output<typeof json>;

const json = z.json();
const runSchema = z.object({
  run: z.string(),
  revision: z.string(),
  kind: z.string(),
  inputs: json,
  from: json,
  to: json,
  by: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  reason: z.string().nullable(),
  command: z.string().nullable(),
  since: z.iso.datetime().nullable(),
});
type Row = z.output<typeof runSchema>;

const isoTime = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const columns = `run, revision, kind, inputs, came_from as "from", went_to as "to", by,
  ${isoTime("started")} as "startedAt", ${isoTime("finished")} as "finishedAt",
  way_back_reason as reason, way_back_command as command, ${isoTime("way_back_since")} as since`;

const createTable = `
  create table rollback.journal (
    id                bigint generated always as identity primary key,
    stack             text not null,
    system_identifier text not null,
    timeline          integer not null,
    run               text not null unique,
    revision          text not null,
    kind              text not null,
    inputs            jsonb not null,
    came_from         jsonb not null,
    went_to           jsonb not null,
    by                text not null,
    started           timestamptz not null default clock_timestamp(),
    finished          timestamptz,
    way_back_reason   text,
    way_back_command  text,
    way_back_since    timestamptz);
  create index on rollback.journal (stack, system_identifier, timeline, id desc)`;

const nothing: Journal = { finished: undefined, open: undefined, wayBack: undefined };

/** What is on record for this key. A missing database, schema or table is an empty journal; an unreachable server throws. */
export async function readJournal(
  server: Server,
  database: string,
  key: JournalKey,
  options: ConnectionOptions = {},
): Promise<Journal> {
  try {
    return await withClient(server, database, (client) => readJournalOn(client, key), options);
  } catch (error) {
    if (isAbsent(error)) return nothing;
    throw error;
  }
}

async function readJournalOn(client: ClientBase, key: JournalKey): Promise<Journal> {
  const newest = (condition: string): string =>
    `(select ${columns} from rollback.journal
       where stack = $1 and system_identifier = $2 and timeline = $3 and ${condition} order by id desc limit 1)`;
  const rows = await rowsOf(
    client,
    runSchema,
    `${newest("finished is not null")} union all ${newest("true")}`,
    [key.stack, key.systemIdentifier, key.timeline],
  );
  const finished = rows.map(asFinished).find((run) => run !== undefined);
  const newestRow = rows.at(-1);
  return {
    finished,
    open: newestRow?.finishedAt === null ? asOpen(newestRow) : undefined,
    wayBack: newestRow === undefined ? undefined : asWayBack(newestRow),
  };
}

/**
 * Opens a run, once its preflight has passed. Opening it again changes nothing, so every effect may do it.
 * The database must exist; table and schema are made.
 */
export async function openRun(
  server: Server,
  database: string,
  key: JournalKey,
  record: RunRecord,
  options: ConnectionOptions = {},
): Promise<void> {
  await withClient(server, database, (client) => writeRun(client, key, record, false), options);
}

/** A server that goes on from where it is on a new timeline keeps its journal: all of it is about this state. Repeatable. */
export async function moveJournal(client: ClientBase, key: JournalKey, timeline: number): Promise<void> {
  const { there } = await rowOf(
    client,
    z.object({ there: z.boolean() }),
    "select to_regclass('rollback.journal') is not null as there",
  );
  if (!there) return;
  await client.query(
    "update rollback.journal set timeline = $4 where stack = $1 and system_identifier = $2 and timeline = $3",
    [key.stack, key.systemIdentifier, key.timeline, timeline],
  );
}

/** Closes the run as finished and proven; it is opened as well if that has not been possible before (the first `up`). */
export async function writeFinished(
  server: Server,
  database: string,
  key: JournalKey,
  record: RunRecord,
  options: ConnectionOptions = {},
): Promise<FinishedRun> {
  return withClient(server, database, (client) => writeRun(client, key, record, true), options);
}

async function writeRun(
  client: ClientBase,
  key: JournalKey,
  record: RunRecord,
  finish: boolean,
): Promise<FinishedRun> {
  await ensureTable(client, "journal", createTable);
  const text = (value: Json): string => JSON.stringify(value);
  // The key is written again as well: a run that recovered the server ends on another timeline than it began on.
  const row = await rowOf(
    client,
    runSchema,
    `insert into rollback.journal as j
       (stack, system_identifier, timeline, run, revision, kind, inputs, came_from, went_to, by, finished)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, case when $11 then clock_timestamp() end)
     on conflict (run) do update set
       stack = excluded.stack, system_identifier = excluded.system_identifier, timeline = excluded.timeline,
       inputs = excluded.inputs, came_from = excluded.came_from, went_to = excluded.went_to,
       finished = coalesce(excluded.finished, j.finished),
       way_back_reason  = case when $11 then null else j.way_back_reason end,
       way_back_command = case when $11 then null else j.way_back_command end,
       way_back_since   = case when $11 then null else j.way_back_since end
     returning ${columns}`,
    [
      ...[key.stack, key.systemIdentifier, key.timeline, record.run, record.revision, record.kind],
      ...[text(record.inputs), text(record.from), text(record.to), record.by, finish],
    ],
  );
  return { ...asOpen(row), finishedAt: row.finishedAt ?? "" };
}

/** Records with an open run that a way back exists which was not gone; finishing that run or a later one clears it. */
export async function writeWayBack(
  server: Server,
  database: string,
  run: string,
  wayBack: { readonly reason: string; readonly command: string },
  options: ConnectionOptions = {},
): Promise<void> {
  await withClient(
    server,
    database,
    (client) =>
      client.query(
        `update rollback.journal
            set way_back_reason = $2, way_back_command = $3, way_back_since = clock_timestamp() where run = $1`,
        [run, wayBack.reason, wayBack.command],
      ),
    options,
  );
}

function asOpen({ run, revision, kind, inputs, from, to, by, startedAt }: Row): OpenRun {
  return { run, revision, kind, inputs, from, to, by, startedAt };
}

function asFinished(row: Row): FinishedRun | undefined {
  return row.finishedAt === null ? undefined : { ...asOpen(row), finishedAt: row.finishedAt };
}

function asWayBack({ run, reason, command, since }: Row): WayBack | undefined {
  return reason === null || command === null || since === null ? undefined : { run, reason, command, since };
}
