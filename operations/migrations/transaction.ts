import type { Client } from "pg";
import { pendingArchives } from "./archives/pending.ts";
import { assertAsPlanned } from "./as-planned.ts";
import { catalogueBefore } from "./catalogue-before.ts";
import { batches } from "./batches.ts";
import type { Batch } from "./batches.ts";
import { compareCatalogues } from "./catalogue/changes.ts";
import { fingerprintOf, lookAtCatalogue } from "./catalogue/read.ts";
import type { Catalogue, Look } from "./catalogue/read.ts";
import { capture } from "./drafting/captured.ts";
import { readSnapshot } from "./drafting/snapshot.ts";
import { finish } from "./finish.ts";
import { recordApplied, recordEnded } from "./ledger/write.ts";
import type { LedgerEntry } from "./ledger/write.ts";
import type { DatabasePlan } from "./plan.ts";
import { runBatch } from "./run-batch.ts";
import { preamble } from "./statements.ts";
import type { RunContext } from "./statements.ts";
import { stepsOf } from "./steps.ts";
import { lockTables } from "./table-locks.ts";
import { verifyReversal } from "./verify.ts";
import { asOwner, track, untracking } from "./track.ts";
import type { TransactionOptions } from "./transaction-options.ts";

/**
 * Everything one database's part of a run does, from BEGIN to the last statement before COMMIT or PREPARE TRANSACTION, which
 * the caller gives. On an error the caller rolls back.
 */
export async function runTransaction(
  client: Client,
  pid: number,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
): Promise<void> {
  await assertAsPlanned(client, pid, plan, ["BEGIN", preamble(context)]);
  await options.guard(client);
  const empty = await lockTables(client, plan, options.nowait);
  await recordEnded(
    client,
    plan.gone.map((row) => row.version),
    "gone",
  );
  const untrack = untracking(plan);
  await recordApplied(
    client,
    plan.adopt.map(({ migration, class: kind }) => ({
      migration,
      class: kind,
      layout: plan.reader.name,
      release: undefined,
      untrack: untrack(migration),
    })),
  );
  // As every tool does: a migration may speak of the table that records it.
  if (plan.createTracking) await asOwner(client, context, [context.tracking.create]);
  const { entries, look } = await runSteps(client, plan, context, options, empty);
  await track(client, plan, context);
  await recordEnded(
    client,
    stepsOf(plan, "reverse").map((step) => step.version),
    "reversed",
  );
  await recordApplied(client, entries);
  await finish(client, plan, context, options, look);
}

async function runSteps(
  client: Client,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  empty: ReadonlySet<string>,
): Promise<{ entries: LedgerEntry[]; look: Look | undefined }> {
  const entries: LedgerEntry[] = [];
  const pending = await pendingArchives(client, plan);
  let catalogue: Catalogue | undefined;
  let look: Look | undefined;
  let first = 1;
  for (const batch of batches(plan.steps)) {
    const forward = batch.steps[0]?.direction === "forward";
    if (forward && first === 1) catalogue = await catalogueBefore(client, plan, context);
    options.signal?.throwIfAborted();
    const before = captures(batch) ? await readSnapshot(client, context.tracking) : undefined;
    await runBatch(client, batch, first, plan, context, options, { empty, pending });
    look = batch.look ? await lookAtCatalogue(client, context.tracking) : undefined;
    const definitions =
      before === undefined ? undefined : capture(before, await readSnapshot(client, context.tracking));
    if (forward) {
      const made = ledgerEntries(batch, plan, options.release, catalogue, look?.catalogue);
      entries.push(...made.map((entry) => (definitions === undefined ? entry : { ...entry, definitions })));
    }
    if (!forward && plan.steps[first + batch.steps.length - 1]?.direction !== "reverse")
      await verifyReversal(client, plan, context, options);
    catalogue = look?.catalogue;
    first += batch.steps.length;
  }
  return { entries, look };
}

/** Whether the schema before a batch is kept in full: it is one migration forward that nothing takes back. */
function captures({ steps: [step, ...more] }: Batch): boolean {
  return more.length === 0 && step?.migration !== undefined && step.migration.down === undefined;
}

function ledgerEntries(
  { steps }: Batch,
  plan: DatabasePlan,
  release: string,
  before: Catalogue | undefined,
  after: Catalogue | undefined,
): LedgerEntry[] {
  const untrack = untracking(plan);
  return steps.flatMap((step, index): LedgerEntry[] => {
    if (step.migration === undefined) return [];
    const known = {
      before: index === 0 ? before : undefined,
      after: index === steps.length - 1 ? after : undefined,
    };
    return [
      {
        migration: step.migration,
        class: step.class,
        layout: plan.reader.name,
        release,
        untrack: untrack(step.migration),
        ...(known.before === undefined ? {} : { before: fingerprintOf(known.before) }),
        ...(known.after === undefined ? {} : { after: fingerprintOf(known.after) }),
        ...(known.before === undefined || known.after === undefined
          ? {}
          : { changes: compareCatalogues(known.before, known.after) }),
      },
    ];
  });
}
