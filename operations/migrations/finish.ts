import type { ClientBase } from "pg";
import { fingerprintOf, lookAtCatalogue } from "./catalogue/read.ts";
import type { Look } from "./catalogue/read.ts";
import { appendEvent, recordCatalogue } from "./ledger/write.ts";
import { beforeFirst } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import { differencesFrom, notRestored } from "./restored.ts";
import type { RunContext } from "./statements.ts";
import { stepsOf } from "./steps.ts";
import type { TransactionOptions } from "./transaction-options.ts";

/**
 * Proves that a reversal has restored the catalogue, and writes down how everything stands: the last of a transaction. `known` is
 * the catalogue as the steps left it, where somebody has looked. Throws Refusal `SCHEMA_NOT_RESTORED`.
 */
export async function finish(
  client: ClientBase,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  known: Look | undefined,
): Promise<void> {
  // What COMMIT would check anyway; triggers that deferred constraints kept from being dropped can go after it.
  const watched = watches(plan);
  if (watched) await client.query("SET CONSTRAINTS ALL IMMEDIATE; SELECT rollback.unwatch()");
  const look = known === undefined || watched ? await lookAtCatalogue(client, context.tracking) : known;
  const { catalogue } = look;
  const fingerprint = fingerprintOf(catalogue);
  if (plan.expected !== undefined && plan.expected !== fingerprint) {
    const differences = await differencesFrom(client, plan, catalogue);
    if (differences.length > 0 && options.onDifference === "refuse") throw notRestored(plan, differences);
    for (const line of differences) options.warn(`${plan.database}: ${line}`);
  }
  await recordCatalogue(client, fingerprint, look);
  await appendEvent(client, context.run, "schema", {
    from: plan.from ?? beforeFirst,
    to: plan.to,
    release: options.release,
    steps: plan.steps.map(({ version, name, direction, class: kind, source }) => ({
      version,
      name,
      direction,
      class: kind,
      source,
    })),
    adopted: plan.adopt.map(({ migration }) => migration.version),
    gone: plan.gone.map((row) => row.version),
    fingerprint,
  });
}

function watches(plan: DatabasePlan): boolean {
  return stepsOf(plan, "reverse").some((step) =>
    step.script.statements.some(({ losses }) => losses.some((loss) => loss.kind === "rows")),
  );
}
