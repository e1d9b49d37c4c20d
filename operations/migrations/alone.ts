import type { Client } from "pg";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import { identifier, inTransaction } from "../database/query.ts";
import { pendingArchives } from "./archives/pending.ts";
import type { Part } from "./commit.ts";
import { runOutside } from "./alone-statement.ts";
import { assertAsPlanned } from "./as-planned.ts";
import { catalogueBefore } from "./catalogue-before.ts";
import { capture, snapshotOf, wholeOf } from "./drafting/captured.ts";
import { readSnapshot } from "./drafting/snapshot.ts";
import { asStepError } from "./failures.ts";
import { finish } from "./finish.ts";
import { runBatch } from "./run-batch.ts";
import { compareCatalogues } from "./catalogue/changes.ts";
import { fingerprintOf, lookAtCatalogue } from "./catalogue/read.ts";
import type { Catalogue } from "./catalogue/read.ts";
import { dropLeftovers } from "./leftovers.ts";
import { hashOf, keepSchemaBefore, recordBoundary, takeSchemaBefore } from "./ledger/boundary.ts";
import { recordApplied, recordCatalogue, recordEnded } from "./ledger/write.ts";
import { untilGranted } from "./patience.ts";
import type { Patience } from "./patience.ts";
import { withoutKeyword } from "./sql/parse.ts";
import type { ScriptStatement } from "./sql/script.ts";
import { preamble } from "./statements.ts";
import type { RunContext } from "./statements.ts";
import type { Step } from "./steps.ts";
import { track, untracking } from "./track.ts";
import type { TransactionOptions } from "./transaction-options.ts";
import type { Boundary } from "./types.ts";
import { verifyReversal } from "./verify.ts";

/**
 * Runs a step that cannot run in a transaction: statements that can are committed together, the others run by themselves,
 * and an event before and after each says how far it is. Throws `SCHEMA_BOUNDARY` when it fails on the way; a repeat goes on
 * from there.
 */
export async function runAlone(
  { client, pid, plan }: Part,
  step: Step,
  context: RunContext,
  options: TransactionOptions,
  patience: Omit<Patience, "undo">,
): Promise<void> {
  const rolledBack = { ...patience, undo: () => rollBack(client) };
  let catalogue: Catalogue | undefined;
  let at: Boundary | undefined = plan.boundary;
  const inOwnTransaction = (work: () => Promise<void>) =>
    untilGranted(
      () =>
        inTransaction(client, async () => {
          await client.query(preamble(context));
          await options.guard(client);
          await work();
        }),
      rolledBack,
    );
  try {
    await inOwnTransaction(async () => {
      await assertAsPlanned(client, pid, plan);
      if (at !== undefined) return;
      catalogue = await catalogueBefore(client, plan, context);
      const opened = {
        version: step.version,
        direction: step.direction,
        done: 0,
        hash: hashOf([]),
        begun: undefined,
        before: fingerprintOf(catalogue),
      };
      await recordBoundary(client, context.run, "open", opened);
      if (isUnreversed(step))
        await keepSchemaBefore(client, step.version, wholeOf(await readSnapshot(client, context.tracking)));
      at = opened;
    });
    if (at === undefined) throw new Error(`${step.where} was not opened`);
    at = await runStatements(client, step, at, plan, context, options, inOwnTransaction);
    const { before } = at;
    await inOwnTransaction(() => close({ client, pid, plan }, step, { before, catalogue }, context, options));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw at === undefined ? error : stoppedAt(step, at, asStepError(step, error));
  }
}

async function runStatements(
  client: Client,
  step: Step,
  opened: Boundary,
  plan: Part["plan"],
  context: RunContext,
  options: TransactionOptions,
  inOwnTransaction: (work: () => Promise<void>) => Promise<number>,
): Promise<Boundary> {
  let at = opened;
  const { statements } = step.script;
  if (at.done > 0) await repeatSettings(client, statements.slice(0, at.done), context);
  while (at.done < statements.length) {
    options.signal?.throwIfAborted();
    const next = statements[at.done];
    const end = next?.outside?.hasPlainForm === false ? at.done + 1 : endOfGroup(statements, at.done);
    const group = statements.slice(at.done, end);
    const done: Boundary = { ...at, done: end, begun: undefined, hash: hashOf(statements.slice(0, end)) };
    if (next?.outside?.hasPlainForm === false) {
      await runOutside(client, next, at, context, options);
      await recordBoundary(client, context.run, "done", done);
      await rememberCatalogue(client, context);
    } else {
      const part = {
        ...step,
        // Verified once, when all of it is done.
        verify: undefined,
        script: { ...step.script, changesSettings: false, statements: group.map(inSession) },
      };
      const pending = at.done === 0 ? await pendingArchives(client, plan) : new Set<string>();
      await inOwnTransaction(async () => {
        await runBatch(client, { steps: [part], look: false }, 1, plan, context, options, {
          empty: new Set(),
          pending,
        });
        await recordBoundary(client, context.run, "done", done);
        await keepCatalogue(client, context);
      });
    }
    at = done;
  }
  if (step.script.changesSettings) await client.query("RESET ALL");
  return at;
}

/** A statement that stands alone, or those up to the next one; an added label has to be committed before it is used. */
function endOfGroup(statements: readonly ScriptStatement[], from: number): number {
  for (let at = from; at < statements.length; at++) {
    const statement = statements[at];
    if (statement?.outside?.hasPlainForm === false) return at;
    if (statement?.addsLabel !== undefined) return at + 1;
  }
  return statements.length;
}

/** SET LOCAL would end with its transaction, while the script meant it for all of what follows. */
function inSession(statement: ScriptStatement): ScriptStatement {
  if (!statement.makesSetting) return statement;
  return { ...statement, sql: withoutKeyword(statement.sql, "local") ?? statement.sql };
}

/** Settings of statements that an earlier run has done belong to its session. */
async function repeatSettings(
  client: Client,
  done: readonly ScriptStatement[],
  { owner }: RunContext,
): Promise<void> {
  const settings = done.filter((each) => each.makesSetting).map(inSession);
  if (settings.length === 0) return;
  await client.query(`SET ROLE ${identifier(owner)}`);
  for (const { sql } of settings) await client.query(sql);
  await client.query("RESET ROLE");
}

/** The catalogue between two statements is what a later run finds, and no change by hand. */
async function keepCatalogue(client: Client, { tracking }: RunContext): Promise<void> {
  const look = await lookAtCatalogue(client, tracking);
  await recordCatalogue(client, fingerprintOf(look.catalogue), look);
}

async function rememberCatalogue(client: Client, context: RunContext): Promise<void> {
  await inTransaction(client, () => keepCatalogue(client, context));
}

/** The step is done: the tool's table and the ledger say so in one transaction. */
async function close(
  { client, plan }: Part,
  step: Step,
  known: { readonly before: string; readonly catalogue: Catalogue | undefined },
  context: RunContext,
  options: TransactionOptions,
): Promise<void> {
  if (step.verify !== undefined) {
    const verified = { ...step, script: { ...step.script, changesSettings: false, statements: [] } };
    const nothing = { empty: new Set<string>(), pending: new Set<string>() };
    await runBatch(client, { steps: [verified], look: false }, 1, plan, context, options, nothing);
  }
  // What is committed already cannot be rolled back for a difference any more: it is told instead.
  const told = { ...options, onDifference: "warn" } as const;
  if (step.direction === "reverse") await verifyReversal(client, plan, context, told);
  await track(client, plan, context);
  if (step.direction === "reverse") await recordEnded(client, [step.version], "reversed");
  const after = await lookAtCatalogue(client, context.tracking);
  if (step.migration !== undefined) {
    const { release } = options;
    const changes =
      known.catalogue === undefined ? {} : { changes: compareCatalogues(known.catalogue, after.catalogue) };
    const before = isUnreversed(step) ? await takeSchemaBefore(client, step.version) : undefined;
    const definitions =
      before === undefined
        ? {}
        : { definitions: capture(snapshotOf(before), await readSnapshot(client, context.tracking)) };
    await recordApplied(client, [
      {
        migration: step.migration,
        class: step.class,
        layout: plan.reader.name,
        release,
        untrack: untracking(plan)(step.migration),
        before: known.before,
        after: fingerprintOf(after.catalogue),
        ...changes,
        ...definitions,
      },
    ]);
  }
  const closed = {
    version: step.version,
    direction: step.direction,
    done: step.script.statements.length,
    hash: hashOf(step.script.statements),
    begun: undefined,
    before: known.before,
  };
  await recordBoundary(client, context.run, "closed", closed);
  await finish(client, plan, context, told, after);
}

/** Whether a draft will have to know one day what the step changed. */
function isUnreversed({ migration }: Step): boolean {
  return migration !== undefined && migration.down === undefined;
}

/** Ends a boundary of which nothing is done: what its first statement may have left goes. */
export async function giveUpBoundary({ client, plan }: Part, run: string): Promise<void> {
  const { boundary, owner, reader } = plan;
  if (boundary === undefined) return;
  if (boundary.begun !== undefined) await dropLeftovers(client, undefined, boundary.begun, owner);
  await inTransaction(client, async () => {
    await recordBoundary(client, run, "closed", { ...boundary, begun: undefined });
    await takeSchemaBefore(client, boundary.version);
    const look = await lookAtCatalogue(client, reader.trackingTable);
    await recordCatalogue(client, fingerprintOf(look.catalogue), look);
  });
}

async function rollBack(client: Client): Promise<void> {
  await client.query("ROLLBACK").catch(() => undefined);
}

function stoppedAt(step: Step, { done }: Boundary, cause: unknown): unknown {
  const why = isRefusal(cause) || cause instanceof Error ? cause.message : String(cause);
  return new Refusal({
    code: "SCHEMA_BOUNDARY",
    found: `${step.where} ${step.name} stopped after ${done} of ${step.script.statements.length} statements: ${isRefusal(cause) ? cause.details.found : why}`,
    untouched: "What is done is committed and recorded; the rest of the plan was not begun.",
    next: "Mend the cause (the text of what is not done yet may be corrected), then run `pulumi up` again: it goes on from there.",
    cause,
  });
}
