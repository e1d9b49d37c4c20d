import pg from "pg";
import type { Client, ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { isUnreachable } from "../database/errors.ts";
import { identifier, rowOf } from "../database/query.ts";
import { batches } from "./batches.ts";
import type { Batch } from "./batches.ts";
import { capture } from "./drafting/captured.ts";
import { readSnapshot } from "./drafting/snapshot.ts";
import { asStepError, isPassing } from "./failures.ts";
import { catalogueMark, compareCatalogues, fingerprintOf, readCatalogue } from "./fingerprint.ts";
import type { Catalogue } from "./fingerprint.ts";
import { pendingArchives } from "./archives/pending.ts";
import {
  appendEvent,
  recordApplied,
  recordCatalogue,
  recordedCatalogue,
  recordEnded,
} from "./ledger/write.ts";
import type { LedgerEntry } from "./ledger/write.ts";
import { trackedRows } from "./observe.ts";
import { beforeFirst } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import { differencesFrom, notRestored } from "./restored.ts";
import { quoteName } from "./sql/names.ts";
import { preamble, stepColumn, stepsSql } from "./statements.ts";
import type { RunContext } from "./statements.ts";
import type { Step } from "./steps.ts";
import type { TrackedRow } from "./types.ts";
import { lockTables } from "./table-locks.ts";
import { verifyReversal } from "./verify.ts";

export interface TransactionOptions {
  readonly release: string;
  /** Called once the transaction has begun; throws when this run may not write any more. */
  readonly guard: (client: ClientBase) => Promise<void>;
  /** Called when a step begins. */
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
  const empty = await lockTables(client, plan, options.nowait);
  await recordEnded(
    client,
    plan.gone.map((row) => row.version),
    "gone",
  );
  await recordApplied(
    client,
    plan.adopt.map(({ migration, class: kind }) => ({
      migration,
      class: kind,
      layout: plan.reader.name,
      release: undefined,
    })),
  );
  // As every tool does: a migration may speak of the table that records it.
  if (plan.createTracking) await asOwner(client, context, [context.tracking.create]);
  const { entries, catalogue } = await runSteps(client, plan, context, options, empty);
  await track(client, plan, context);
  await recordEnded(
    client,
    of(plan, "reverse").map((step) => step.version),
    "reversed",
  );
  await recordApplied(client, entries);
  await finish(client, plan, context, options, catalogue);
}

async function runSteps(
  client: Client,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  empty: ReadonlySet<string>,
): Promise<{ entries: LedgerEntry[]; catalogue: Catalogue | undefined }> {
  const entries: LedgerEntry[] = [];
  const pending = await pendingArchives(client, plan);
  let catalogue: Catalogue | undefined;
  let first = 1;
  for (const batch of batches(plan.steps)) {
    const forward = batch.steps[0]?.direction === "forward";
    if (forward && first === 1) catalogue = await catalogueBefore(client, plan, context);
    options.signal?.throwIfAborted();
    const before = captures(batch) ? await readSnapshot(client, context.tracking) : undefined;
    await runBatch(client, batch, first, plan, context, options, { empty, pending });
    const after = batch.look ? await readCatalogue(client, context.tracking) : undefined;
    const definitions =
      before === undefined ? undefined : capture(before, await readSnapshot(client, context.tracking));
    if (forward) {
      const made = ledgerEntries(batch, plan, options.release, catalogue, after);
      entries.push(...made.map((entry) => (definitions === undefined ? entry : { ...entry, definitions })));
    }
    if (!forward && plan.steps[first + batch.steps.length - 1]?.direction !== "reverse")
      await verifyReversal(client, plan, context, options);
    catalogue = after;
    first += batch.steps.length;
  }
  return { entries, catalogue };
}

/** The catalogue that a forward step found. What it finishes of another run's was begun in the catalogue recorded last. */
export async function catalogueBefore(
  client: ClientBase,
  { halfDetached }: DatabasePlan,
  { tracking }: RunContext,
): Promise<Catalogue> {
  const recorded = halfDetached === undefined ? undefined : await recordedCatalogue(client);
  return recorded?.catalogue ?? (await readCatalogue(client, tracking));
}

/** Whether the schema before a batch is kept in full: it is one migration forward that nothing takes back. */
function captures({ steps: [step, ...more] }: Batch): boolean {
  return more.length === 0 && step?.migration !== undefined && step.migration.down === undefined;
}

/** Sends a batch; the rows by which its steps announce themselves tell the progress, and where an error came from. */
export async function runBatch(
  client: Client,
  batch: Batch,
  first: number,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  { empty, pending }: { empty: ReadonlySet<string>; pending: ReadonlySet<string> },
): Promise<void> {
  let current = batch.steps[0];
  try {
    await new Promise<void>((resolve, reject) => {
      const query = new pg.Query<Record<string, unknown>>(
        stepsSql(batch.steps, first, context, empty, pending),
      );
      query.on("row", (row) => {
        const number = row[stepColumn];
        if (typeof number !== "number") return;
        current = batch.steps[number - first] ?? current;
        if (current !== undefined) options.onStep(current, number, plan.steps.length);
      });
      query.on("error", reject);
      query.on("end", () => resolve());
      client.query(query);
    });
  } catch (error) {
    throw current === undefined ? error : asStepError(current, error);
  }
}

function ledgerEntries(
  { steps }: Batch,
  plan: DatabasePlan,
  release: string,
  before: Catalogue | undefined,
  after: Catalogue | undefined,
): LedgerEntry[] {
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
        ...(known.before === undefined ? {} : { before: fingerprintOf(known.before) }),
        ...(known.after === undefined ? {} : { after: fingerprintOf(known.after) }),
        ...(known.before === undefined || known.after === undefined
          ? {}
          : { changes: compareCatalogues(known.before, known.after) }),
      },
    ];
  });
}

/** Keeps the tool's own table in step, as the owner, in the same transaction. */
export async function track(client: ClientBase, plan: DatabasePlan, context: RunContext): Promise<void> {
  const { tracking } = context;
  const back = of(plan, "reverse");
  const forth = of(plan, "forward").flatMap((step) => step.migration ?? []);
  const leaving = new Set(back.map(({ version }) => version));
  const before = plan.applied.filter((version) => !leaving.has(version)).at(-1);
  const statements = [
    ...(back.length === 0 ? [] : [tracking.remove(back, before)]),
    ...(forth.length === 0 ? [] : [tracking.record(forth, before)]),
  ];
  if (statements.length === 0) return;
  try {
    await asOwner(client, context, statements);
  } catch (error) {
    throw isPassing(error) || isUnreachable(error) ? error : untracked(plan, error);
  }
}

async function asOwner(
  client: ClientBase,
  { owner }: RunContext,
  statements: readonly string[],
): Promise<void> {
  await client.query(
    [`SET LOCAL ROLE ${identifier(owner)}`, ...statements, "SET LOCAL ROLE NONE"].join("; "),
  );
}

export async function finish(
  client: ClientBase,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  known: Catalogue | undefined,
): Promise<void> {
  // What COMMIT would check anyway; triggers that deferred constraints kept from being dropped can go after it.
  if (watches(plan)) await client.query("SET CONSTRAINTS ALL IMMEDIATE; SELECT rollback.unwatch()");
  const catalogue = known ?? (await readCatalogue(client, context.tracking));
  const fingerprint = fingerprintOf(catalogue);
  if (plan.expected !== undefined && plan.expected !== fingerprint) {
    const differences = await differencesFrom(client, plan, catalogue);
    if (differences.length > 0 && options.onDifference === "refuse") throw notRestored(plan, differences);
    for (const line of differences) options.warn(`${plan.database}: ${line}`);
  }
  await recordCatalogue(client, fingerprint, await catalogueMark(client), catalogue);
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

/** E.g. a trigger of the application that lets only its own tool write to the table. */
function untracked(plan: DatabasePlan, error: unknown): Refusal {
  const { schema, table } = plan.reader.trackingTable;
  return new Refusal({
    code: "SCHEMA_NOT_TRACKED",
    found: `${schema}.${table} of ${plan.database} does not take the record of what was done: ${error instanceof Error ? error.message : String(error)}.`,
    untouched: "The whole transaction was rolled back; every database is as it was before this run.",
    next: `Let the owner role write to ${schema}.${table} (a trigger or a privilege is in the way), then run \`pulumi up\` again.`,
    cause: error,
  });
}

function watches(plan: DatabasePlan): boolean {
  return of(plan, "reverse").some((step) =>
    step.script.statements.some(({ losses }) => losses.some((loss) => loss.kind === "rows")),
  );
}

function of(plan: DatabasePlan, direction: Step["direction"]): Step[] {
  return plan.steps.filter((step) => step.direction === direction);
}

/** Somebody may have changed the versions, or a pooler the session, since the plan was made. */
export async function assertAsPlanned(client: ClientBase, pid: number, plan: DatabasePlan): Promise<void> {
  const { schema, table } = plan.reader.trackingTable;
  const tracking = quoteName({ schema, name: table });
  const present = await rowOf(
    client,
    z.object({ pid: z.number(), columns: z.array(z.string()).nullable() }),
    `SELECT pg_backend_pid() AS pid,
       (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped) AS columns`,
    [tracking],
  );
  if (present.pid !== pid) {
    throw new Refusal({
      code: "SCHEMA_POOLED",
      found: `the connection to ${plan.database} changed sessions: a pooler stands in between.`,
      untouched: "Nothing was changed.",
      next: "Connect to PostgreSQL directly, or to the pooler's session mode.",
    });
  }
  // Keeps the tool that owns the table from applying something meanwhile; readers are not disturbed.
  if (present.columns !== null) await client.query(`LOCK TABLE ${tracking} IN SHARE ROW EXCLUSIVE MODE`);
  const now = (await trackedRows(client, plan.reader, present.columns)) ?? [];
  if (trackedText(now) !== trackedText(plan.tracked)) {
    throw new Refusal({
      code: "SCHEMA_MOVED",
      found: `${tracking} of ${plan.database} changed after the plan was made (${trackedText(plan.tracked)} then, ${trackedText(now)} now).`,
      untouched: "Nothing was changed by this run.",
      next: "Run `pulumi up` again; find out what else migrates this database.",
    });
  }
}

/** The plan for what the tracking table holds now, after an earlier part of the same run. */
export async function afterEarlier(client: ClientBase, plan: DatabasePlan): Promise<DatabasePlan> {
  const { schema, table } = plan.reader.trackingTable;
  const { columns } = await rowOf(
    client,
    z.object({ columns: z.array(z.string()).nullable() }),
    "SELECT array_agg(attname::text) AS columns FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
    [quoteName({ schema, name: table })],
  );
  return { ...plan, tracked: (await trackedRows(client, plan.reader, columns)) ?? [] };
}

/** The rows of a tracking table as one text: the newest ones, or a count of them where there are many. */
function trackedText(rows: readonly TrackedRow[]): string {
  return (
    rows
      .map(({ version, success }) => (success ? version : `${version} dirty`))
      .sort()
      .join(" ") || "nothing"
  );
}
