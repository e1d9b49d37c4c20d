import type { ClientBase } from "pg";
import { isUnreachable } from "../database/errors.ts";
import { giveUpBoundary, runAlone } from "./alone.ts";
import { afterEarlier } from "./as-planned.ts";
import { cancelOnAbort } from "./cancel.ts";
import { commitParts } from "./commit.ts";
import type { Moment, Part } from "./commit.ts";
import type { Connect } from "./connect.ts";
import { connectionLost, lockedOut } from "./failures.ts";
import { untilGranted } from "./patience.ts";
import type { DatabasePlan } from "./plan.ts";
import { segmentsOf } from "./segments.ts";
import type { RunContext } from "./statements.ts";
import type { Step } from "./steps.ts";
import { lockHolders } from "./table-locks.ts";
import { runTransaction } from "./transaction.ts";
import type { TransactionOptions } from "./transaction-options.ts";

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

/**
 * One segment after the other. Each goes by a name of its own in the ledger, as its event is what tells that it was
 * committed.
 */
export async function runSegments(
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
