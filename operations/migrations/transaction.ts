import type { Client, ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { identifier, rowOf, rowsOf } from "../database/query.ts";
import { compareCatalogues, describeChanges, fingerprintOf, readCatalogue } from "./fingerprint.ts";
import type { Catalogue, CatalogueChanges } from "./fingerprint.ts";
import {
  appendEvent,
  changesOf,
  recordApplied,
  recordCatalogue,
  recordedCatalogue,
  recordEnded,
} from "./ledger/write.ts";
import type { LedgerEntry } from "./ledger/write.ts";
import { appliedVersions, trackedRows } from "./observe.ts";
import { beforeFirst } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import { lockModes, stronger } from "./sql/locks.ts";
import type { LockMode } from "./sql/locks.ts";
import { quoteName } from "./sql/names.ts";
import { preamble, stepSql } from "./statements.ts";
import type { RunContext } from "./statements.ts";
import { strongestLocks } from "./steps.ts";
import type { Step } from "./steps.ts";
import { asStepError } from "./failures.ts";

export interface TransactionOptions {
  readonly release: string;
  /** Called once the transaction has begun; throws when this run may not write any more. */
  readonly guard: (client: ClientBase) => Promise<void>;
  /** Called before each step. */
  readonly onStep: (step: Step, number: number, of: number) => void;
  readonly signal: AbortSignal | undefined;
  /** Take the locks known beforehand without waiting at all. */
  readonly nowait: boolean;
  /** What to do when the catalogue after a reversal is not the one before the migration. */
  readonly onDifference: "refuse" | "warn";
  readonly warn: (text: string) => void;
}

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
  await client.query(`BEGIN; ${preamble(context)}`);
  await assertAsPlanned(client, pid, plan);
  await options.guard(client);
  await lockTables(client, plan, options.nowait);
  if (plan.createTracking) {
    await client.query(
      `SET LOCAL ROLE ${identifier(plan.owner)}; ${context.tracking.create}; SET LOCAL ROLE NONE`,
    );
  }
  await recordEnded(
    client,
    plan.gone.map((row) => row.version),
    "gone",
  );
  const layout = plan.reader.name;
  await recordApplied(
    client,
    plan.adopt.map(({ migration, class: kind }) => ({ migration, class: kind, layout, release: undefined })),
  );
  let catalogue = plan.steps.some((step) => step.direction === "forward")
    ? await readCatalogue(client, context.tracking)
    : undefined;
  const applied = [...plan.applied];
  const entries: LedgerEntry[] = [];
  for (const [index, step] of plan.steps.entries()) {
    options.signal?.throwIfAborted();
    options.onStep(step, index + 1, plan.steps.length);
    if (step.direction === "reverse") applied.splice(applied.indexOf(step.version), 1);
    await runStep(client, step, applied.at(-1), context);
    if (step.direction === "forward") applied.push(step.version);
    if (step.direction === "reverse" || step.migration === undefined) continue;
    const after = await readCatalogue(client, context.tracking);
    const before: Catalogue = catalogue ?? new Map();
    entries.push({
      migration: step.migration,
      class: step.class,
      layout,
      release: options.release,
      before: fingerprintOf(before),
      after: fingerprintOf(after),
      changes: compareCatalogues(before, after),
    });
    catalogue = after;
  }
  await recordEnded(
    client,
    plan.steps.filter((step) => step.direction === "reverse").map((step) => step.version),
    "reversed",
  );
  await recordApplied(client, entries);
  await finish(client, plan, context, options, catalogue);
}

async function runStep(
  client: ClientBase,
  step: Step,
  before: string | undefined,
  context: RunContext,
): Promise<void> {
  try {
    await client.query(stepSql(step, before, context));
  } catch (error) {
    throw asStepError(step, error);
  }
}

async function finish(
  client: ClientBase,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  known: Catalogue | undefined,
): Promise<void> {
  // What COMMIT would check anyway; triggers that deferred constraints kept from being dropped can go after it.
  await client.query("SET CONSTRAINTS ALL IMMEDIATE; SELECT rollback.unwatch()");
  const catalogue = known ?? (await readCatalogue(client, context.tracking));
  const fingerprint = fingerprintOf(catalogue);
  if (plan.expected !== undefined && plan.expected !== fingerprint) {
    const differences = await differencesFrom(client, plan, catalogue);
    if (options.onDifference === "refuse") throw notRestored(plan, differences);
    for (const line of differences) options.warn(`${plan.database}: ${line}`);
  }
  await recordCatalogue(client, fingerprint, catalogue);
  await appendEvent(client, context.run, "schema", {
    from: plan.from ?? beforeFirst,
    to: plan.to,
    release: options.release,
    steps: plan.steps.map((step) => ({
      version: step.version,
      name: step.name,
      direction: step.direction,
      class: step.class,
      source: step.source,
    })),
    adopted: plan.adopt.map(({ migration }) => migration.version),
    gone: plan.gone.map((row) => row.version),
    fingerprint,
  });
}

/** Somebody may have changed the versions, or a pooler the session, since the plan was made. */
async function assertAsPlanned(client: ClientBase, pid: number, plan: DatabasePlan): Promise<void> {
  const { tracking, present } = await trackingLock(client, plan);
  if (present.pid !== pid) {
    throw new Refusal({
      code: "SCHEMA_POOLED",
      found: `the connection to ${plan.database} changed sessions: a pooler stands in between.`,
      untouched: "Nothing was changed.",
      next: "Connect to PostgreSQL directly, or to the pooler's session mode.",
    });
  }
  const now = appliedVersions((await trackedRows(client, plan.reader, present.columns)) ?? [], plan.reader);
  if (now.join() !== plan.applied.join()) {
    throw new Refusal({
      code: "SCHEMA_MOVED",
      found: `${tracking} of ${plan.database} changed after the plan was made (${plan.applied.at(-1) ?? "nothing"} then, ${now.at(-1) ?? "nothing"} now).`,
      untouched: "Nothing was changed by this run.",
      next: "Run `pulumi up` again; find out what else migrates this database.",
    });
  }
}

async function trackingLock(client: ClientBase, plan: DatabasePlan) {
  const { schema, table } = plan.reader.trackingTable;
  const tracking = quoteName({ schema, name: table });
  const present = await rowOf(
    client,
    z.object({ pid: z.number(), columns: z.array(z.string()).nullable() }),
    `SELECT pg_backend_pid() AS pid,
       (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped) AS columns`,
    [tracking],
  );
  // Keeps the tool that owns the table from applying something meanwhile; readers are not disturbed.
  if (present.columns !== null) await client.query(`LOCK TABLE ${tracking} IN SHARE ROW EXCLUSIVE MODE`);
  return { tracking, present };
}

/**
 * Takes all locks known beforehand before any work is done: what cannot be had is then found out in milliseconds, not after
 * minutes of work that innocent queries would have waited for.
 */
async function lockTables(client: ClientBase, plan: DatabasePlan, nowait: boolean): Promise<void> {
  const wanted = strongestLocks(plan.steps.map((step) => step.script)).filter(
    (lock) => lockModes.indexOf(lock.mode) >= lockModes.indexOf("SHARE UPDATE EXCLUSIVE"),
  );
  if (wanted.length === 0) return;
  await client.query(`SET LOCAL ROLE ${identifier(plan.owner)}`);
  const found = await rowsOf(
    client,
    z.object({ name: z.string(), mode: z.enum(lockModes) }),
    `WITH named AS (
       SELECT c.oid, c.relkind, w.mode FROM unnest($1::text[], $2::text[]) AS w(name, mode) JOIN pg_class c ON c.oid = to_regclass(w.name)
     ), tables AS (
       SELECT coalesce(i.indrelid, n.oid) AS oid, n.mode FROM named n LEFT JOIN pg_index i ON i.indexrelid = n.oid
       -- Dropping a table also locks those that its foreign keys refer to.
       UNION SELECT k.confrelid, 'ACCESS EXCLUSIVE' FROM named n JOIN pg_constraint k ON k.conrelid = n.oid AND k.contype = 'f'
         WHERE n.mode = 'ACCESS EXCLUSIVE' AND n.oid = ANY (SELECT to_regclass(d) FROM unnest($3::text[]) AS d)
     )
     SELECT format('%I.%I', s.nspname, c.relname) AS name, t.mode
     FROM tables t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace s ON s.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1`,
    [wanted.map((lock) => quoteName(lock.table)), wanted.map((lock) => lock.mode), droppedTables(plan)],
  );
  const strongest = new Map<string, LockMode>();
  for (const { name, mode } of found) strongest.set(name, stronger(strongest.get(name) ?? mode, mode));
  const statements = [...Map.groupBy(strongest, ([, mode]) => mode)].map(
    ([mode, tables]) =>
      `LOCK TABLE ${tables.map(([name]) => name).join(", ")} IN ${mode} MODE${nowait ? " NOWAIT" : ""}`,
  );
  await client.query([...statements, "SET LOCAL ROLE NONE"].join("; "));
}

function droppedTables(plan: DatabasePlan): string[] {
  const losses = plan.steps.flatMap((step) =>
    step.script.statements.flatMap((statement) => statement.losses),
  );
  return losses.flatMap((loss) =>
    loss.kind === "table" && loss.how === "drop" ? [quoteName(loss.table)] : [],
  );
}

/** How the catalogue differs from the one before the oldest reversed migration, as far as that can be told. */
async function differencesFrom(client: ClientBase, plan: DatabasePlan, now: Catalogue): Promise<string[]> {
  const recorded = await recordedCatalogue(client);
  const ids = plan.steps.flatMap((step) => step.ledgerId ?? []);
  const changes = await changesOf(client, ids);
  if (recorded === undefined || changes === undefined)
    return ["the catalogue is another than before the migration"];
  const expected = new Map(recorded.catalogue);
  for (const change of changes) undo(expected, change);
  return describeChanges(compareCatalogues(expected, now));
}

function undo(catalogue: Map<string, string>, { removed, changed, added }: CatalogueChanges): void {
  for (const key of Object.keys(added)) catalogue.delete(key);
  for (const [key, { before }] of Object.entries(changed)) catalogue.set(key, before);
  for (const [key, definition] of Object.entries(removed)) catalogue.set(key, definition);
}

function notRestored(plan: DatabasePlan, differences: readonly string[]): Refusal {
  const versions = plan.steps.map((step) => step.version).join(", ");
  return new Refusal({
    code: "SCHEMA_NOT_RESTORED",
    found: `after reversing ${versions} the schema of ${plan.database} is not what it was before:\n${differences.map((line) => `  ${line}`).join("\n")}`,
    untouched: "Everything was rolled back; the schema is as it was before this run.",
    next: "Correct the reversal, or allow the difference with `rollback:safety` → catalogueDifference: warn.",
  });
}
