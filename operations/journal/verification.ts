import { z } from "zod";
import { withClient, type ConnectionOptions, type Server } from "../database/connection.ts";
import { isAbsent } from "../database/errors.ts";
import { rowsOf } from "../database/query.ts";
import { ensureTable } from "../database/schema.ts";

const createTable = `
  create table rollback.verification (
    id      bigint generated always as identity primary key,
    stack   text not null,
    run     text not null,
    at      timestamptz not null default clock_timestamp(),
    proven  boolean not null,
    checks  jsonb not null);
  create index on rollback.verification (stack, id desc)`;

const checkSchema = z.object({ what: z.string(), found: z.string(), wrong: z.array(z.string()) });

const recordSchema = z.object({
  /** Revision of the run. */
  run: z.string(),
  /** ISO time by the database server's clock. */
  at: z.iso.datetime(),
  proven: z.boolean(),
  checks: z.array(checkSchema),
});

/** What a run's verification found, as it is on record. */
export type VerificationRecord = Readonly<z.output<typeof recordSchema>>;

/** Records what a run's verification found; each stage of it (the checks, the bake) is a row. */
export async function writeVerification(
  server: Server,
  database: string,
  record: {
    readonly stack: string;
    readonly run: string;
    readonly proven: boolean;
    readonly checks: readonly z.output<typeof checkSchema>[];
  },
  options: ConnectionOptions = {},
): Promise<void> {
  await withClient(
    server,
    database,
    async (client) => {
      await ensureTable(client, "verification", createTable);
      await client.query(
        "insert into rollback.verification (stack, run, proven, checks) values ($1, $2, $3, $4)",
        [record.stack, record.run, record.proven, JSON.stringify(record.checks)],
      );
    },
    options,
  );
}

/** The newest verifications of a stack, newest first; none when nothing is on record. */
export async function readVerifications(
  server: Server,
  database: string,
  stack: string,
  most: number,
): Promise<VerificationRecord[]> {
  try {
    return await withClient(server, database, (client) =>
      rowsOf(
        client,
        recordSchema,
        `select run, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, proven, checks
           from rollback.verification where stack = $1 order by id desc limit $2`,
        [stack, most],
      ),
    );
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
