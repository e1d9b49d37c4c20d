import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { ConnectionOptions, Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { isAbsent, sqlState } from "../database/errors.ts";
import { inTransaction, rowsOf } from "../database/query.ts";
import { ensureTable } from "../database/schema.ts";

/** Which run may write for a stack. A later claim wins: the engine lets one run at a time hold its own lock. */
export interface RunClaim {
  /** `project/stack`. */
  readonly stack: string;
  readonly run: string;
}

const createTable = `
  create table rollback.run (
    run       text primary key,
    stack     text not null,
    claimed   timestamptz not null default clock_timestamp(),
    overtaken timestamptz);
  create unique index on rollback.run (stack) where overtaken is null`;

export interface ClaimOptions extends ConnectionOptions {
  /** Milliseconds until a transaction of the other run that does not end is a Refusal. Default 30 000. */
  readonly deadlineMs?: number;
  /**
   * Called when the other run's sessions have been ended, before each attempt: the place to finish what it left prepared, which
   * holds the claim although nobody is connected.
   */
  readonly settle?: (client: ClientBase) => Promise<void>;
}

/**
 * Makes this run the one that may write in this database, for every database of the stack before its first effect there.
 * A program whose engine was killed may still be at work: its sessions (`application_name` as `sessionName` makes it) are ended
 * and its later transactions fail in `assertRun`. Repeatable. The database must exist.
 * A run that was overtaken itself may not claim again: Refusal `RUN_OVERTAKEN`. `CLAIM_BLOCKED` after the deadline.
 * @returns the run that was overtaken, if there was one.
 */
export async function claimRun(
  server: Server,
  database: string,
  claim: RunClaim,
  options: ClaimOptions = {},
): Promise<string | undefined> {
  return withClient(server, database, (client) => claimOn(client, claim, options), options);
}

async function claimOn(
  client: ClientBase,
  claim: RunClaim,
  options: ClaimOptions,
): Promise<string | undefined> {
  await ensureTable(client, "run", createTable);
  const end = performance.now() + (options.deadlineMs ?? 30_000);
  for (;;) {
    const former = await holderOf(client, claim.stack);
    if (former === claim.run) return undefined;
    if (former !== undefined) {
      await endSessionsOf(client, former);
      await options.settle?.(client);
    }
    try {
      return await inTransaction(client, () => takeOver(client, claim));
    } catch (error) {
      // The other run began something anew, and holds its claim until that commits: end its sessions again.
      if (sqlState(error) !== lockNotAvailable) throw error;
      if (performance.now() > end) throw claimBlocked(claim, former);
    }
  }
}

const lockNotAvailable = "55P03";
const runRow = z.object({ run: z.string() });

async function takeOver(client: ClientBase, { stack, run }: RunClaim): Promise<string | undefined> {
  await client.query("set local lock_timeout = '500ms'");
  // Two claims at once come one after the other.
  await client.query("select pg_advisory_xact_lock(hashtext('rollback.run'), hashtext($1))", [stack]);
  const lost = await client.query("select from rollback.run where run = $1 and overtaken is not null", [run]);
  if (lost.rowCount !== 0) throw overtaken(run);
  const [former] = await rowsOf(
    client,
    runRow,
    `update rollback.run set overtaken = clock_timestamp()
      where stack = $1 and run <> $2 and overtaken is null returning run`,
    [stack, run],
  );
  await client.query("insert into rollback.run (stack, run) values ($1, $2) on conflict (run) do nothing", [
    stack,
    run,
  ]);
  return former?.run;
}

async function holderOf(client: ClientBase, stack: string): Promise<string | undefined> {
  const [row] = await rowsOf(
    client,
    runRow,
    "select run from rollback.run where stack = $1 and overtaken is null",
    [stack],
  );
  return row?.run;
}

/**
 * Inside a transaction, before it writes: this run still is the one that may. Until the transaction ends nobody can overtake it.
 * One indexed read of one row. Throws a Refusal `RUN_OVERTAKEN`, and the transaction must be rolled back.
 */
export async function assertRun(client: ClientBase, run: string): Promise<void> {
  try {
    const { rowCount } = await client.query(
      "select from rollback.run where run = $1 and overtaken is null for share",
      [run],
    );
    if (rowCount === 1) return;
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  throw overtaken(run);
}

/** `application_name` of every session that works for a run, by which they are found and ended when it is overtaken. */
export function sessionName(run: string, purpose = ""): string {
  return `rollback ${run}${purpose === "" ? "" : ` ${purpose}`}`.slice(0, 63);
}

/** The run that a session works for, from its `application_name`. */
export function runOfSession(applicationName: string): string | undefined {
  return /^rollback ([^ ]+)/.exec(applicationName)?.[1];
}

/** Ends all sessions of a run on the whole server, except the asking one. @returns how many there were. */
export async function endSessionsOf(client: ClientBase, run: string): Promise<number> {
  const sessions = await rowsOf(
    client,
    z.object({ ended: z.boolean() }),
    `select pg_terminate_backend(pid, 5000) as ended from pg_stat_activity
      where split_part(application_name, ' ', 1) = 'rollback' and split_part(application_name, ' ', 2) = $1
        and pid <> pg_backend_pid()`,
    [run],
  );
  return sessions.length;
}

/** The Refusal of a run that is not the stack's any more. */
export function overtaken(run: string, cause?: unknown): Refusal {
  return new Refusal({
    code: "RUN_OVERTAKEN",
    found: `run ${run} is not the one at work on this stack any more (a later \`pulumi up\` took over).`,
    untouched: "Its last transaction was rolled back; nothing of it was kept.",
    next: "Nothing to do for this one; look at the later run.",
    cause,
  });
}

function claimBlocked({ stack, run }: RunClaim, former: string | undefined): Refusal {
  return new Refusal({
    code: "CLAIM_BLOCKED",
    found: `run ${run} cannot take over ${stack}: run ${former ?? "?"} still holds a transaction, perhaps a prepared one.`,
    untouched: "Nothing was changed.",
    next: "Look for it:  select * from pg_prepared_xacts;  select * from pg_stat_activity where application_name like 'rollback %';",
  });
}
