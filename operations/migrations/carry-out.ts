import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { close } from "../database/connection.ts";
import { isUnreachable } from "../database/errors.ts";
import { literal, rowOf, rowsOf } from "../database/query.ts";
import { connectionLost, isPassing, lockedOut, unfinished } from "./failures.ts";
import { ensureLedger } from "./ledger/ensure.ts";
import { hasEvent } from "./ledger/write.ts";
import { takeSchemaLock } from "./lock.ts";
import type { Connect } from "./observe.ts";
import { hasWork, isPreparable } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import type { SchemaPlan } from "./schema-plan.ts";
import { quoteName } from "./sql/names.ts";
import { strongestLocks } from "./steps.ts";
import type { Step } from "./steps.ts";
import { runTransaction } from "./transaction.ts";
import { decisionSql, forgetDecisionSql, preparedName, recoverPrepared } from "./two-phase.ts";

export interface CarryOutOptions {
  /** Called before each step, e.g. to show progress. */
  readonly onStep?: (step: Step, number: number, of: number) => void;
  /** Something worth saying that does not stop the run. */
  readonly warn?: (text: string) => void;
  /** Milliseconds that a lock is waited for in one try; what queues behind it waits as long. Default 100. */
  readonly lockTimeoutMs?: number;
  /** Milliseconds for all tries together. Default 30 000. */
  readonly budgetMs?: number;
  /** Milliseconds for one statement; 0, the default: no limit. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds to wait for another run to end. Default 10 000. */
  readonly busyMs?: number;
  /** What to do when a reversal does not restore the catalogue. Default refuse. */
  readonly onDifference?: "refuse" | "warn";
  /** Called inside each database's transaction before anything is written; what it throws rolls all of them back. */
  readonly guard?: (client: ClientBase) => Promise<void>;
  /** Ends the run between two statements, and the statement that runs; everything is rolled back. */
  readonly signal?: AbortSignal;
  /** For tests: called at the named moments of a run. */
  readonly at?: (moment: Moment) => void | Promise<void>;
}

export type Moment = "locked" | "worked" | "prepared" | "decided";

/** What a run did. */
export interface SchemaResult {
  /** Name of the run in `rollback.event`. */
  readonly run: string;
  readonly changed: readonly string[];
  readonly steps: number;
  /** Transactions begun, 1 when every lock was free. */
  readonly tries: number;
  readonly milliseconds: number;
  readonly archived: readonly Archived[];
}

/** Data that the run destroyed and kept. */
export interface Archived {
  readonly database: string;
  /** Table in the schema `rollback`. */
  readonly name: string;
  readonly source: string;
  readonly how: string;
  readonly rows: number;
  readonly bytes: number;
}

interface Session {
  readonly plan: DatabasePlan;
  readonly client: Client;
  readonly pid: number;
}

/** Tries that take no lock they would have to wait for, before the ones that wait for `lockTimeoutMs`. */
const impatientTries = 3;

/**
 * Carries a plan out: one transaction per database, over several databases all or none. Finds nothing to do when the plan has
 * no work. Throws Refusals `SCHEMA_BUSY`, `SCHEMA_LOCKED`, `SCHEMA_MOVED`, `SCHEMA_STEP_FAILED`, `SCHEMA_NOT_RESTORED`,
 * `SCHEMA_CONNECTION_LOST`, `SCHEMA_OWNER`; after each of them every database is as it was before.
 */
export async function carryOut(
  plan: SchemaPlan,
  open: Connect,
  options: CarryOutOptions = {},
): Promise<SchemaResult> {
  const started = performance.now();
  const run = randomUUID();
  const work = plan.databases.filter(hasWork).toSorted((a, b) => (a.database < b.database ? -1 : 1));
  await recoverPrepared(
    open,
    plan.databases.map((each) => each.database),
    options.busyMs,
  );
  const sessions: Session[] = [];
  try {
    for (const each of work) sessions.push(await openSession(each, open, options.busyMs ?? 10_000));
    await options.at?.("locked");
    const tries = sessions.length === 0 ? 0 : await untilDone(plan, sessions, run, open, options);
    const archived: Archived[] = [];
    for (const session of sessions) archived.push(...(await archivedBy(session, run)));
    return {
      run,
      changed: work.map((each) => each.database),
      steps: work.reduce((sum, each) => sum + each.steps.length, 0),
      tries,
      milliseconds: performance.now() - started,
      archived,
    };
  } finally {
    await Promise.all(sessions.map(({ client }) => close(client)));
  }
}

async function openSession(plan: DatabasePlan, open: Connect, waitMs: number): Promise<Session> {
  const client = await open(plan.database);
  try {
    const pid = await takeSchemaLock(client, plan.database, waitMs);
    await refuseForeignOwner(client, plan);
    await ensureLedger(client);
    return { plan, client, pid };
  } catch (error) {
    await close(client);
    throw error;
  }
}

async function refuseForeignOwner(client: ClientBase, { database, owner }: DatabasePlan): Promise<void> {
  const { member, operator } = await rowOf(
    client,
    z.object({ member: z.boolean().nullable(), operator: z.string() }),
    "SELECT pg_has_role(session_user, oid, 'USAGE') AS member, session_user::text AS operator FROM (SELECT (SELECT oid FROM pg_roles WHERE rolname = $1) AS oid) AS r",
    [owner],
  );
  if (member === true) return;
  throw new Refusal({
    code: "SCHEMA_OWNER",
    found:
      member === null
        ? `there is no role ${owner}, which is to own the objects of ${database}.`
        : `${operator} is not a member of ${owner}, which owns the objects of ${database}.`,
    untouched: "Nothing was changed.",
    next: `Let \`pulumi up\` make the roles, or:  GRANT ${owner} TO ${operator}`,
  });
}

async function untilDone(
  plan: SchemaPlan,
  sessions: readonly Session[],
  run: string,
  open: Connect,
  options: CarryOutOptions,
): Promise<number> {
  const budgetMs = options.budgetMs ?? 30_000;
  const end = performance.now() + budgetMs;
  const databases = sessions.map((session) => session.plan.database);
  for (let tries = 1; ; tries++) {
    try {
      await attempt(plan, sessions, run, open, options, tries);
      return tries;
    } catch (error) {
      await rollBack(sessions);
      const pause = Math.min(25 * 1.5 ** tries, 500) * (0.5 + Math.random());
      if (!isPassing(error)) throw error;
      if (performance.now() + pause >= end) {
        throw lockedOut(databases, tries, budgetMs, await lockHolders(sessions), error);
      }
      await sleep(pause, undefined, { signal: options.signal });
    }
  }
}

async function attempt(
  plan: SchemaPlan,
  sessions: readonly Session[],
  run: string,
  open: Connect,
  options: CarryOutOptions,
  number: number,
): Promise<void> {
  for (const { client, pid, plan: each } of sessions) {
    const stop = cancelOnAbort(open, each.database, pid, options.signal);
    try {
      await runTransaction(
        client,
        pid,
        each,
        {
          run,
          owner: each.owner,
          tracking: each.reader.trackingTable,
          lockTimeoutMs: options.lockTimeoutMs ?? 100,
          statementTimeoutMs: options.statementTimeoutMs ?? 0,
        },
        {
          release: plan.release,
          guard: options.guard ?? (() => Promise.resolve()),
          onStep: options.onStep ?? (() => undefined),
          signal: options.signal,
          nowait: number <= impatientTries,
          onDifference: options.onDifference ?? "refuse",
          warn: options.warn ?? (() => undefined),
        },
      );
    } catch (error) {
      options.signal?.throwIfAborted();
      throw isUnreachable(error) ? connectionLost(each.database, error) : error;
    } finally {
      stop();
    }
  }
  await options.at?.("worked");
  options.signal?.throwIfAborted();
  await commit(sessions, run, open, options);
}

/** All but the last database prepare; the last commits in one phase, with the decision when there are others. */
async function commit(
  sessions: readonly Session[],
  run: string,
  open: Connect,
  options: CarryOutOptions,
): Promise<void> {
  const last = sessions.find(({ plan }) => !isPreparable(plan)) ?? sessions.at(-1);
  if (last === undefined) return;
  const others = sessions.filter((session) => session !== last);
  const prepared: { session: Session; gid: string }[] = [];
  try {
    for (const [number, session] of others.entries()) {
      const gid = preparedName(run, number, last.plan.database);
      await session.client.query(`PREPARE TRANSACTION ${literal(gid)}`);
      prepared.push({ session, gid });
    }
    await options.at?.("prepared");
    if (others.length > 0) await last.client.query(decisionSql(run));
    await commitLast(last, run, open);
  } catch (error) {
    for (const { session, gid } of prepared) {
      // Without a decision the next run rolls back what cannot be rolled back now.
      await session.client.query(`ROLLBACK PREPARED ${literal(gid)}`).catch(() => undefined);
    }
    throw error;
  }
  if (others.length > 0) await finishPrepared(prepared, last, run, options);
}

async function finishPrepared(
  prepared: readonly { session: Session; gid: string }[],
  last: Session,
  run: string,
  options: CarryOutOptions,
): Promise<void> {
  try {
    await options.at?.("decided");
    for (const { session, gid } of prepared) await session.client.query(`COMMIT PREPARED ${literal(gid)}`);
    await last.client.query(forgetDecisionSql(run));
  } catch (error) {
    throw unfinished(
      prepared.map(({ session }) => session.plan.database),
      error,
    );
  }
}

/** When the line breaks during COMMIT nobody knows what became of it, except the database: its event tells. */
async function commitLast({ client, plan }: Session, run: string, open: Connect): Promise<void> {
  try {
    await client.query("COMMIT");
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    if (!(await wasCommitted(plan.database, run, open))) throw connectionLost(plan.database, error);
  }
}

async function wasCommitted(database: string, run: string, open: Connect): Promise<boolean> {
  const client = await open(database);
  try {
    // The backend of the broken connection holds the lock until it is through with the COMMIT.
    await takeSchemaLock(client, database, 30_000);
    return await hasEvent(client, run);
  } finally {
    await close(client);
  }
}

async function rollBack(sessions: readonly Session[]): Promise<void> {
  for (const { client } of sessions) {
    // A broken connection has been rolled back by the server; the first error is the one that counts.
    await client.query("ROLLBACK").catch(() => undefined);
  }
}

/** Ends the statement that runs when the signal comes: the connection itself only listens between statements. */
function cancelOnAbort(
  open: Connect,
  database: string,
  pid: number,
  signal: AbortSignal | undefined,
): () => void {
  if (signal === undefined) return () => undefined;
  const cancel = (): void => {
    void (async () => {
      const client = await open(database);
      await client.query("SELECT pg_cancel_backend($1)", [pid]);
      await close(client);
      // Without a connection there is nothing to cancel through; the run then ends after the statement.
    })().catch(() => undefined);
  };
  signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}

/** Who holds the tables that were wanted, for the refusal. */
async function lockHolders(sessions: readonly Session[]): Promise<string[]> {
  const lines: string[] = [];
  for (const { client, plan } of sessions) {
    const names = strongestLocks(plan.steps.map((step) => step.script)).map((lock) => quoteName(lock.table));
    const rows = await rowsOf(
      client,
      z.object({
        pid: z.number(),
        role: z.string().nullable(),
        app: z.string().nullable(),
        state: z.string().nullable(),
        rel: z.string(),
      }),
      `SELECT DISTINCT l.pid, a.usename::text AS role, a.application_name AS app, a.state, l.relation::regclass::text AS rel
       FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.relation = ANY (SELECT to_regclass(n) FROM unnest($1::text[]) AS n) ORDER BY l.pid LIMIT 5`,
      [names],
    );
    for (const { pid, role, app, state, rel } of rows) {
      const what = [role, app, state].filter((text) => text !== null && text !== "").join(", ");
      lines.push(`pid ${pid} (${what}) on ${plan.database}.${rel}`);
    }
  }
  return lines;
}

async function archivedBy({ client, plan }: Session, run: string): Promise<Archived[]> {
  const rows = await rowsOf(
    client,
    z.object({
      name: z.string(),
      source: z.string(),
      how: z.string(),
      rows: z.coerce.number(),
      bytes: z.coerce.number(),
    }),
    `SELECT name, source_schema || '.' || source_table AS source, how, rows, bytes FROM rollback.archive WHERE run = $1 ORDER BY id`,
    [run],
  );
  return rows.map((row) => ({ database: plan.database, ...row }));
}
