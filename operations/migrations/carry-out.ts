import { randomUUID } from "node:crypto";
import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { close } from "../database/connection.ts";
import { isUnreachable } from "../database/errors.ts";
import { rowOf, rowsOf } from "../database/query.ts";
import { giveUpBoundary, runAlone } from "./alone.ts";
import { listArchives } from "./archives/list.ts";
import type { Archive } from "./archives/list.ts";
import { commitParts } from "./commit.ts";
import type { Moment, Part } from "./commit.ts";
import { connectionLost, lockedOut } from "./failures.ts";
import { ensureLedger } from "./ledger/ensure.ts";
import { takeSchemaLock } from "./lock.ts";
import type { Connect } from "./connect.ts";
import { untilGranted } from "./patience.ts";
import { hasWork } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import type { SchemaPlan } from "./schema-plan.ts";
import { segmentsOf } from "./segments.ts";
import type { Sessions } from "./sessions.ts";
import type { RunContext } from "./statements.ts";
import type { Step } from "./steps.ts";
import { lockHolders } from "./table-locks.ts";
import { afterEarlier, runTransaction } from "./transaction.ts";
import type { TransactionOptions } from "./transaction.ts";

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
  /** Called before a step that runs outside of a transaction: from then on there may be no way back to what was. */
  readonly onBoundary?: (step: Step) => void | Promise<void>;
  /** For tests: called at the named moments of a run. */
  readonly at?: (moment: Moment) => void | Promise<void>;
}

/** What a run did. */
export interface SchemaResult {
  /** Name of the run in `rollback.event`. */
  readonly run: string;
  readonly changed: readonly string[];
  readonly steps: number;
  /** Parts that were committed one after the other: 1 unless a step runs outside of a transaction. */
  readonly segments: number;
  /** Transactions begun, 1 when every lock was free. */
  readonly tries: number;
  readonly milliseconds: number;
  readonly archived: readonly Archived[];
  /** Archives of earlier reversals that migrations applied again put back, or tried to. */
  readonly putBack: readonly (Archive & { readonly database: string })[];
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

/**
 * Carries a plan out over sessions that are already there: one transaction per database, over several databases all or
 * none; `open` is for what needs a session of its own. Finds nothing to do when the plan has no work. Throws Refusals
 * `SCHEMA_BUSY`, `SCHEMA_LOCKED`, `SCHEMA_MOVED`, `SCHEMA_STEP_FAILED`, `SCHEMA_NOT_RESTORED`, `SCHEMA_CONNECTION_LOST`,
 * `SCHEMA_OWNER`; after each of them every database is as it was before, or as the last step outside of a transaction left
 * it. `SCHEMA_BOUNDARY`: such a step stopped half-way.
 */
export async function carryOut(
  sessions: Sessions,
  plan: SchemaPlan,
  open: Connect,
  options: CarryOutOptions,
): Promise<SchemaResult> {
  const started = performance.now();
  const run = randomUUID();
  const work = plan.databases.filter(hasWork).toSorted((a, b) => (a.database < b.database ? -1 : 1));
  const parts: Part[] = [];
  for (const each of work) parts.push(await openPart(each, sessions, options.busyMs ?? 10_000));
  await options.at?.("locked");
  const { tries, runs } = await runSegments(plan.release, parts, run, open, options);
  const archived: Archived[] = [];
  const putBack: SchemaResult["putBack"][number][] = [];
  for (const part of parts) {
    const { database } = part.plan;
    for (const each of runs) {
      archived.push(...(await archivedBy(part, each)));
      const back = await listArchives(part.client, { restoredBy: each });
      putBack.push(...back.map((archive) => ({ database, ...archive })));
    }
  }
  return {
    run,
    changed: work.map((each) => each.database),
    steps: work.reduce((sum, each) => sum + each.steps.length, 0),
    segments: runs.length,
    tries,
    milliseconds: performance.now() - started,
    archived,
    putBack,
  };
}

async function openPart(plan: DatabasePlan, sessions: Sessions, waitMs: number): Promise<Part> {
  const client = await sessions.of(plan.database);
  const pid = await takeSchemaLock(client, plan.database, waitMs);
  await refuseForeignOwner(client, plan);
  await ensureLedger(client);
  return { plan, client, pid };
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

/**
 * One segment after the other. Each goes by a name of its own in the ledger, as its event is what tells that it was
 * committed.
 */
async function runSegments(
  release: string,
  parts: readonly Part[],
  run: string,
  open: Connect,
  options: CarryOutOptions,
): Promise<{ tries: number; runs: string[] }> {
  const runs: string[] = [];
  const begun = new Set<string>();
  let tries = 0;
  const partOf = async (plan: DatabasePlan): Promise<Part> => {
    const part = parts.find((each) => each.plan.database === plan.database);
    if (part === undefined) throw new Error(`there is no session for ${plan.database}`);
    const again = begun.has(plan.database);
    begun.add(plan.database);
    return { ...part, plan: again ? await afterEarlier(part.client, plan) : plan };
  };
  for (const part of parts.filter(isGivenUp)) await giveUpBoundary(part, run);
  for (const segment of segmentsOf(parts.map(({ plan }) => plan))) {
    const name = runs.length === 0 ? run : `${run}.${runs.length + 1}`;
    runs.push(name);
    if (segment.kind === "together") {
      const together: Part[] = [];
      for (const plan of segment.plans) together.push(await partOf(plan));
      tries = Math.max(tries, await untilDone(release, together, name, open, options));
      continue;
    }
    await options.onBoundary?.(segment.step);
    const part = await partOf(segment.plan);
    const stop = cancelOnAbort(open, part.plan.database, part.pid, options.signal);
    const budgetMs = options.budgetMs ?? 30_000;
    await runAlone(
      part,
      segment.step,
      contextOf(part.plan, name, options),
      optionsOf(release, options, false),
      {
        budgetMs,
        signal: options.signal,
        givenUp: (count, cause) => lockedOutOf([part], count, budgetMs, cause),
      },
    ).finally(stop);
  }
  return { tries, runs };
}

/** A boundary that the plan does not go on with: nothing of its step is done, or the plan would have been refused. */
function isGivenUp({ plan }: Part): boolean {
  return plan.boundary !== undefined && plan.steps[0]?.alone === undefined;
}

async function untilDone(
  release: string,
  parts: readonly Part[],
  run: string,
  open: Connect,
  options: CarryOutOptions,
): Promise<number> {
  const budgetMs = options.budgetMs ?? 30_000;
  return untilGranted(
    async (nowait) => {
      for (const part of parts) await runPart(part, release, run, open, options, nowait);
      await options.at?.("worked");
      options.signal?.throwIfAborted();
      await commitParts(parts, run, open, options.at);
    },
    {
      budgetMs,
      signal: options.signal,
      undo: () => rollBack(parts),
      givenUp: (tries, cause) => lockedOutOf(parts, tries, budgetMs, cause),
    },
  );
}

async function lockedOutOf(
  parts: readonly Part[],
  tries: number,
  budgetMs: number,
  cause: unknown,
): Promise<Error> {
  const holders = await Promise.all(parts.map(({ client, plan }) => lockHolders(client, plan)));
  const databases = parts.map((part) => part.plan.database);
  return lockedOut(databases, tries, budgetMs, holders.flat(), cause);
}

function contextOf(plan: DatabasePlan, run: string, options: CarryOutOptions): RunContext {
  return {
    run,
    owner: plan.owner,
    tracking: plan.reader.trackingTable,
    lockTimeoutMs: options.lockTimeoutMs ?? 100,
    statementTimeoutMs: options.statementTimeoutMs ?? 0,
  };
}

function optionsOf(release: string, options: CarryOutOptions, nowait: boolean): TransactionOptions {
  return {
    release,
    guard: options.guard ?? (() => Promise.resolve()),
    onStep: options.onStep ?? (() => undefined),
    signal: options.signal,
    nowait,
    onDifference: options.onDifference ?? "refuse",
    warn: options.warn ?? (() => undefined),
  };
}

async function runPart(
  { client, pid, plan }: Part,
  release: string,
  run: string,
  open: Connect,
  options: CarryOutOptions,
  nowait: boolean,
): Promise<void> {
  const stop = cancelOnAbort(open, plan.database, pid, options.signal);
  try {
    await runTransaction(
      client,
      pid,
      plan,
      contextOf(plan, run, options),
      optionsOf(release, options, nowait),
    );
  } catch (error) {
    options.signal?.throwIfAborted();
    throw isUnreachable(error) ? connectionLost(plan.database, error) : error;
  } finally {
    stop();
  }
}

async function rollBack(parts: readonly Part[]): Promise<void> {
  for (const { client } of parts) {
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

async function archivedBy({ client, plan }: Part, run: string): Promise<Archived[]> {
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
