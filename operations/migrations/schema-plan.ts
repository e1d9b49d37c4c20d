import { setImmediate as nextTurn } from "node:timers/promises";
import { Refusal } from "../../settings/refusal.ts";
import { ownerRole } from "../../settings/names.ts";
import type { Database } from "../../settings/types.ts";
import { buildsOn, withBoundaries } from "./boundaries.ts";
import { refuseBeyond, type Limits } from "./limits.ts";
import { judgePlan } from "./judge-plan.ts";
import { readFolder } from "./layouts/index.ts";
import type { MigrationsFolder } from "./layouts/index.ts";
import type { TableSize } from "./observe.ts";
import { hasWork } from "./plan.ts";
import type { DatabasePlan, Way } from "./plan.ts";
import { planDatabase } from "./planning/database.ts";
import { refuseTwoPhase, withHindrances, writtenTables } from "./preparable.ts";
import { madeFromNothing, ownedTables, refuseForeign, refuseUntracked } from "./relations.ts";
import { besides, detachedBy, withFinalized } from "./detach.ts";
import { refuseMissingValues, wantedValues } from "./required-values.ts";
import { loadParser } from "./sql/parse.ts";
import { worksIn, withWork } from "./work-facts.ts";
import type { Observed, TableName } from "./types.ts";
import type { Observer } from "./observer.ts";

/** What is going to happen to the schemas of a stack. */
export interface SchemaPlan {
  readonly release: string;
  readonly databases: readonly DatabasePlan[];
  /** Sizes of tables that the plan destroys, overwrites, rewrites or scans, by database and quoted name. */
  readonly sizes: ReadonlyMap<string, ReadonlyMap<string, TableSize>>;
}

export interface SchemaRequest {
  readonly databases: Iterable<Database>;
  /** Key: database; value: the version it is to have. */
  readonly wanted: ReadonlyMap<string, string>;
  /** What a database's folder says; default: it is read. */
  readonly folder?: (database: Database) => Promise<MigrationsFolder>;
  /** Release that the ledger records for what is applied. */
  readonly release: string;
  readonly observe: Observer;
  /** Owner role of a database's objects; default `ownerRole`. */
  readonly owner?: (database: string) => string;
  /** What to do about a schema that was changed by hand. Default refuse. */
  readonly onDrift?: "refuse" | "note";
  /** Milliseconds that an index may take in its plain form, while requests are held. Default 15 000. */
  readonly budgetMs?: number;
  /** See `DatabaseRequest`. */
  readonly way?: Way;
  /** See `DatabaseRequest`. */
  readonly judge?: boolean;
  /** How far reversals may go; default: as far as they take. */
  readonly limits?: Limits;
}

/**
 * Plans how every database gets to its wanted version. Reads files and databases and changes nothing.
 * Throws Refusals `MIGRATION_…` and `SCHEMA_…`; nothing has been stopped then.
 */
export async function planSchemaChange(request: SchemaRequest): Promise<SchemaPlan> {
  await loadParser();
  const planned: { readonly database: Database; plan: DatabasePlan; readonly observed: Observed }[] = [];
  for (const given of request.databases) {
    const wanted = request.wanted.get(given.name);
    if (wanted === undefined) continue;
    const { reader, files, aside } = await (request.folder ?? readFolder)(given);
    // Told once: nobody has to look into the folder for it again.
    const database = { ...given, layout: reader.name };
    const observed = await request.observe.observe(database);
    const owner = (request.owner ?? ownerRole)(database.name);
    // The server compares the catalogue while the statements are parsed here.
    const drifted = observed.ledger === undefined ? Promise.resolve([]) : request.observe.drift(database);
    drifted.catch(() => undefined);
    await nextTurn();
    const asWritten = planDatabase({
      files,
      observed,
      wanted,
      owner,
      reader,
      way: request.way,
      judge: request.judge,
    });
    const works = worksIn(asWritten);
    const plan =
      works.length === 0 ? asWritten : withWork(asWritten, await request.observe.works(database, works));
    await refuseTables(plan, database, request.observe);
    await refuseUnfilled(plan, database, request.observe);
    const judged = request.judge === true ? await judgePlan(plan, database, request.observe) : plan;
    const noted = withAside(await inSegments(judged, database, request), aside);
    planned.push({ database, plan: withDrift(noted, await drifted, request), observed });
  }
  const together = planned.filter(({ plan }) => hasWork(plan));
  for (const each of together.length < 2 ? [] : together) {
    const facts = await request.observe.programs(each.database, writtenTables(each.plan));
    each.plan = withHindrances(each.plan, facts);
  }
  refuseTwoPhase(together.map(({ plan, observed }) => ({ plan, ...observed })));
  const sizes = new Map<string, ReadonlyMap<string, TableSize>>();
  for (const { database, plan } of planned) {
    const tables = [...destroyed(plan), ...worksIn(plan).map(({ table }) => table)];
    const found = tables.length === 0 ? undefined : await request.observe.sizes(database, tables);
    if (found !== undefined) sizes.set(database.name, found);
    if (request.limits !== undefined) refuseBeyond(plan, found ?? new Map<string, never>(), request.limits);
  }
  return { release: request.release, databases: planned.map(({ plan }) => plan), sizes };
}

/** Tables whose data the steps of a plan destroy or overwrite. */
export function destroyed(plan: DatabasePlan): TableName[] {
  const losses = plan.steps.flatMap((step) =>
    step.script.statements.flatMap((statement) => statement.losses),
  );
  return losses.flatMap((loss) => (loss.kind === "object" ? [] : [loss.table]));
}

/** What is there and should not be, and what is somebody else's: both would only show when everything has been stopped. */
async function refuseTables(plan: DatabasePlan, database: Database, observe: Observer): Promise<void> {
  const [made, owned] = [madeFromNothing(plan), ownedTables(plan)];
  if (made.length > 0) refuseUntracked(plan, await observe.relations(database, plan.owner, made));
  if (owned.length > 0) refuseForeign(plan, await observe.relations(database, plan.owner, owned));
}

/** A column without values for the rows that are there would only be found out when everything has been stopped. */
async function refuseUnfilled(plan: DatabasePlan, database: Database, observe: Observer): Promise<void> {
  const wanted = wantedValues(plan);
  if (wanted.length === 0) return;
  refuseMissingValues(plan, wanted, await observe.values(database, wanted, plan.recorded));
}

/** Finds out which steps cannot be part of the one transaction. */
async function inSegments(
  plan: DatabasePlan,
  database: Database,
  { observe, budgetMs = 15_000 }: SchemaRequest,
): Promise<DatabasePlan> {
  const tables = buildsOn(plan);
  const sizes = tables.length === 0 ? new Map<string, TableSize>() : await observe.sizes(database, tables);
  const partitions = detachedBy(plan);
  const half = partitions.length === 0 ? undefined : await observe.halfDetached(database, partitions);
  return withBoundaries(half === undefined ? plan : withFinalized(plan, half), sizes, budgetMs);
}

/** Says which files are left to the layout's own tool. */
function withAside(plan: DatabasePlan, files: readonly string[]): DatabasePlan {
  if (plan.steps.length === 0 || files.length === 0) return plan;
  const text = `${plan.database}: ${files.join(", ")} ${files.length === 1 ? "is" : "are"} not run: repeatable migrations and callbacks are left to ${plan.reader.name}.`;
  return { ...plan, notes: [...plan.notes, { code: "SCHEMA_ASIDE", text }] };
}

function withDrift(plan: DatabasePlan, drifted: readonly string[], request: SchemaRequest): DatabasePlan {
  // Without steps nothing would be lost by a difference; the next change tells of it.
  const differences = besides(plan.halfDetached, drifted);
  if (plan.steps.length === 0 || differences.length === 0) return plan;
  // What another tool applied or reversed meanwhile changed the catalogue as well, rightly.
  const elsewhere = plan.adopt.length > 0 || plan.gone.length > 0;
  // What a run that was cut short left is its own, and what comes after the step is compared all the same.
  if (plan.boundary !== undefined) return plan;
  if (elsewhere || request.onDrift === "note") {
    const notes = differences.map((difference) => {
      const text = `${plan.database}: ${difference}`;
      return elsewhere ? { code: "SCHEMA_ADOPTED_CHANGES", text } : { code: "SCHEMA_DRIFT", text };
    });
    return { ...plan, expected: undefined, notes: [...plan.notes, ...notes] };
  }
  throw new Refusal({
    code: "SCHEMA_DRIFT",
    found: `the schema of ${plan.database} was changed by something else since the last run:\n${differences.map((line) => `  ${line}`).join("\n")}`,
    untouched: "Nothing was stopped or changed.",
    next: `Undo in ${plan.database} what was changed by hand, then run \`pulumi up\` again.\nOr take it as it is: rollback:safety: { onDifference: warn }, or --allow-drift without a stack.`,
  });
}
