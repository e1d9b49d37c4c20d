import { Refusal } from "../../settings/refusal.ts";
import { hashOf } from "./ledger/boundary.ts";
import type { TableSize } from "./observe.ts";
import type { DatabasePlan } from "./plan.ts";
import { quoteName } from "./sql/names.ts";
import { parseScript, some } from "./sql/parse.ts";
import type { ScriptStatement } from "./sql/script.ts";
import type { Step } from "./steps.ts";
import type { TableName } from "./types.ts";

/**
 * Bytes of a table, indexes included, per millisecond that building an index in its plain form is reckoned with: 20 MB/s. Btrees
 * over text reached 180 MB/s of a table in memory on two busy cores; one that is read from a disk is many times slower.
 */
const bytesPerMs = 20_000;

/** A budget that no plain form fits. */
const asWritten = -1;

/** Tables whose size decides whether a plain form fits the hold. */
export function buildsOn(plan: DatabasePlan): TableName[] {
  return plan.steps.flatMap(({ script }) => script.statements.flatMap(buildsOver));
}

/**
 * Marks the steps that run outside of the transaction of the others: because a statement has no plain form, because its
 * plain form would take longer than `budgetMs`, because a label of an enum that it adds is used later in the same
 * transaction, or because an earlier run has begun with it. Pure. Throws `SCHEMA_BOUNDARY_OPEN`.
 */
export function withBoundaries(
  plan: DatabasePlan,
  sizes: ReadonlyMap<string, TableSize>,
  budgetMs: number,
): DatabasePlan {
  const notes = [...plan.notes];
  const first = plan.steps[0];
  const resumes = goesOn(plan, first);
  const marked = plan.steps.map((step, index): Step => {
    const resumed = index === 0 && resumes;
    // What a run that was cut short left of a CONCURRENTLY is removed before that is tried again; a plain form would fail on it.
    const budget = resumed ? asWritten : budgetMs;
    const statements = step.script.statements.map((statement) => asItFits(statement, sizes, budget));
    const why =
      (resumed ? "an earlier run began it" : undefined) ??
      statements.find((each) => each.outside?.hasPlainForm === false)?.outside?.reason ??
      usesNewLabel(plan.steps, index);
    for (const { outside, line } of statements) {
      if (outside?.hasPlainForm === true)
        notes.push({
          code: "SCHEMA_ADJUSTED",
          text: `${step.where}, line ${line}: ${outside.reason} runs in its plain form, without CONCURRENTLY`,
        });
    }
    if (why === undefined) return step;
    notes.push({
      code: "SCHEMA_COMMITTED_ALONE",
      text: `${step.where}: ${why}; it is committed statement by statement, while the gateway answers 503 where requests are held, and goes on from there if it is cut short.`,
    });
    return { ...step, script: { ...step.script, statements }, alone: why };
  });
  return { ...plan, steps: marked, notes };
}

/** A statement whose plain form would take too long is left as it was written. */
function asItFits(
  statement: ScriptStatement,
  sizes: ReadonlyMap<string, TableSize>,
  budgetMs: number,
): ScriptStatement {
  const { outside } = statement;
  if (outside === undefined || !outside.hasPlainForm) return statement;
  const bytes = buildsOver(statement).reduce(
    (sum, table) => sum + (sizes.get(quoteName(table))?.bytes ?? 0),
    0,
  );
  const seconds = bytes / bytesPerMs / 1000;
  if (seconds * 1000 <= budgetMs) return statement;
  const reason = `${outside.reason} (its plain form would take about ${Math.ceil(seconds)} s)`;
  return { ...statement, sql: outside.sql, outside: { ...outside, reason, hasPlainForm: false } };
}

/** Dropping an index or detaching a partition takes no time in its plain form. */
function buildsOver({ outside, locks }: ScriptStatement): TableName[] {
  const builds =
    outside?.reason.startsWith("CREATE INDEX") === true || outside?.reason.startsWith("REINDEX") === true;
  return builds ? locks.map((lock) => lock.table) : [];
}

/** A label can be used once it is committed, or when its type was made in the same transaction. */
function usesNewLabel(steps: readonly Step[], at: number): string | undefined {
  const statements = steps[at]?.script.statements ?? [];
  for (const [index, { addsLabel }] of statements.entries()) {
    if (addsLabel === undefined) continue;
    const later = steps.slice(at + 1).flatMap(({ script }) => script.statements);
    const rest = [...statements.slice(index + 1), ...later];
    if (rest.some((each) => mentions(each, addsLabel.label)))
      return `the label ${addsLabel.label} of ${addsLabel.type} is used after it is added`;
  }
  return undefined;
}

function mentions({ sql, addsLabel, opaque }: ScriptStatement, label: string): boolean {
  if (addsLabel !== undefined || !sql.includes(label.replaceAll("'", "''"))) return false;
  // The text of a function or a DO block is one string: whether it runs the label cannot be known.
  if (opaque !== undefined) return true;
  return parseScript(sql, "").some(({ node }) =>
    some(node, (kind, fields) => kind === "A_Const" && isText(fields["sval"], label)),
  );
}

function isText(value: unknown, text: string): boolean {
  return typeof value === "object" && value !== null && "sval" in value && value.sval === text;
}

/** Whether the plan's first step is the one that was left half-way. Throws when that cannot be gone on with. */
function goesOn({ boundary, database }: DatabasePlan, step: Step | undefined): boolean {
  if (boundary === undefined) return false;
  const same = boundary.version === step?.version && boundary.direction === step.direction;
  if (same && hashOf(step.script.statements.slice(0, boundary.done)) === boundary.hash) return true;
  if (boundary.done === 0) return false;
  throw openRefusal(database, boundary, same);
}

function openRefusal(
  database: string,
  { version, direction, done }: NonNullable<DatabasePlan["boundary"]>,
  edited: boolean,
): Refusal {
  const what = `${database} ${version} (${direction === "forward" ? "up" : "down"})`;
  return new Refusal({
    code: "SCHEMA_BOUNDARY_OPEN",
    found: `an earlier run has done ${done} statement${done === 1 ? "" : "s"} of ${what}, which cannot run in a transaction${edited ? ", and their text is another now" : ""}.`,
    untouched: "Nothing was stopped or changed by this run.",
    next: edited
      ? "Put those statements back as they were (what comes after them may be corrected), then run `pulumi up` again."
      : `Go ${direction === "forward" ? "forward to" : "back below"} ${version} once more: put the release back that wanted it, run \`pulumi up\`, which finishes it, and go where you want from there.`,
  });
}
