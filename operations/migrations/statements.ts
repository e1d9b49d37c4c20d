import { identifier, literal } from "../database/query.ts";
import type { TrackingTable } from "./layouts/layout.ts";
import type { Loss } from "./sql/losses.ts";
import { quoteName } from "./sql/names.ts";
import type { ScriptStatement } from "./sql/script.ts";
import { withoutNotNull } from "./sql/required-columns.ts";
import type { RequiredColumn } from "./sql/required-columns.ts";
import type { Step } from "./steps.ts";

/** What the SQL of a run has to know beside its steps. */
export interface RunContext {
  readonly run: string;
  readonly owner: string;
  readonly tracking: TrackingTable;
  readonly lockTimeoutMs: number;
  /** 0: none. */
  readonly statementTimeoutMs: number;
}

/** Column by which the rows that announce a step are told from those of the migrations themselves. */
export const stepColumn = "rollback step";

/** Settings of our transaction, made again after a migration that changes settings. */
export function preamble({ lockTimeoutMs, statementTimeoutMs }: RunContext): string {
  return `SET LOCAL lock_timeout = ${lockTimeoutMs}; SET LOCAL statement_timeout = ${statementTimeoutMs}`;
}

/**
 * Everything that steps run, as one string for one round trip: the statements as the owner, with what they destroy kept.
 * Each step announces itself with a row, so that an error can be told from which step it came. `first` is the number of the
 * first step. Tables in `empty` have nothing to keep; `pending` are versions whose reversal archived what is to be put back.
 */
export function stepsSql(
  steps: readonly Step[],
  first: number,
  context: RunContext,
  empty: ReadonlySet<string> = new Set(),
  pending: ReadonlySet<string> = new Set(),
): string {
  const asOwner = `SET LOCAL ROLE ${identifier(context.owner)}`;
  const lines = [asOwner];
  const wrap = (sql: readonly string[]) => (sql.length === 0 ? [] : ["SET LOCAL ROLE NONE", ...sql, asOwner]);
  for (const [index, step] of steps.entries()) {
    lines.push(`SELECT ${first + index} AS ${identifier(stepColumn)}`);
    const again = step.direction === "forward" && pending.has(step.version);
    if (again) lines.push(...wrap([`SELECT rollback.look_back_at(${literal(step.version)})`]));
    for (const statement of step.script.statements) {
      const keeping = keepers(step, statement, context, empty);
      const filling = again
        ? fillers(step, statement, context)
        : { before: [], sql: statement.sql, after: [], last: [] };
      lines.push(...wrap([...keeping.before, ...filling.before]), filling.sql);
      lines.push(...wrap([...keeping.after, ...filling.after]), ...filling.last);
    }
    if (step.script.changesSettings) lines.push("RESET ALL", preamble(context));
    if (step.verify !== undefined)
      lines.push(
        "SAVEPOINT rollback_verify",
        ...step.verify,
        "ROLLBACK TO rollback_verify",
        "RELEASE rollback_verify",
      );
    lines.push(...wrap(atEnd(step, context, again)));
  }
  lines.push("SET LOCAL ROLE NONE");
  // A statement may end in a comment without a line break.
  return lines.join("\n;\n");
}

/**
 * A migration that is applied again finds rows for which its reversal kept the values of a column that may not be null: they go in
 * before that is asked for. `last` runs as the owner.
 */
function fillers(
  { version, where }: Pick<Step, "version" | "where">,
  { sql, requires }: Pick<ScriptStatement, "sql" | "requires">,
  { owner }: RunContext,
): { before: string[]; sql: string; after: string[]; last: string[] } {
  const fill = ({ table, column }: RequiredColumn) =>
    `SELECT rollback.fill(${literal(version)}, rollback.resolve('table', ${literal(quoteName(table))}, ${literal(owner)}), ${literal(column)})`;
  const added = requires.filter(({ how }) => how === "added");
  return {
    before: requires.filter(({ how }) => how === "set").map(fill),
    sql: added.length === 0 ? sql : withoutNotNull(sql, where),
    after: added.map(fill),
    last: added.map(
      ({ table, column }) =>
        `ALTER TABLE ${quoteName(table)} ALTER COLUMN ${identifier(column)} SET NOT NULL`,
    ),
  };
}

/** Calls at the end of a step: what a reversal made of rows is noted; what an earlier reversal took is put back. */
function atEnd(step: Step, { run }: RunContext, again: boolean): string[] {
  const of = literal(step.version);
  if (again) return [`SELECT rollback.put_back_of(${of}, ${literal(run)})`];
  const inPlace = step.script.statements.some(({ losses }) =>
    losses.some((loss) => loss.kind === "rows" || (loss.kind === "column" && loss.how === "retype")),
  );
  return step.direction === "reverse" && inPlace
    ? [`SELECT rollback.note_after(${literal(run)}, ${of})`]
    : [];
}

/** Calls that keep what a reversal's statement destroys: before it, and after it for rows that only it can tell. */
export function keepers(
  step: Pick<Step, "version" | "direction">,
  { losses }: Pick<ScriptStatement, "losses">,
  { run, owner, tracking }: RunContext,
  empty: ReadonlySet<string>,
): { before: string[]; after: string[] } {
  const before: string[] = [];
  const after: string[] = [];
  if (step.direction === "forward") return { before, after };
  const tail = `${literal(step.version)}, ${literal(run)})`;
  const resolve = (kind: string, name: string) =>
    `rollback.resolve(${literal(kind)}, ${literal(name)}, ${literal(owner)})`;
  const columns = new Map<string, { how: string; names: string[] }>();
  for (const loss of losses) {
    const name = quoteName(loss.kind === "object" ? loss.name : loss.table);
    switch (loss.kind) {
      case "table":
        // CASCADE may reach others than the one that is known to be empty.
        if (empty.has(name) && !loss.cascade) break;
        before.push(
          `SELECT rollback.keep_table(${resolve("table", name)}, ${literal(loss.how)}, ${loss.cascade}, ${tail}`,
        );
        break;
      case "column": {
        if (empty.has(name)) break;
        const found = columns.get(name) ?? { how: loss.how, names: [] };
        columns.set(name, {
          how: found.how === "drop" ? "drop" : loss.how,
          names: [...found.names, loss.column],
        });
        break;
      }
      case "rows":
        if (isTracking(loss, tracking)) break;
        before.push(`SELECT rollback.watch(${resolve("table", name)}, ${literal(loss.how)}, ${tail}`);
        if (after.length === 0) after.push("SELECT rollback.unwatch()");
        break;
      case "object":
        before.push(
          `SELECT rollback.keep_object(${literal(loss.type)}, ${resolve(loss.type, name)}, ${tail}`,
        );
        break;
    }
  }
  for (const [table, { how, names }] of columns) {
    const list = `ARRAY[${names.map(literal).join(", ")}]::text[]`;
    before.push(`SELECT rollback.keep_columns(${resolve("table", table)}, ${literal(how)}, ${list}, ${tail}`);
  }
  return { before, after };
}

/** Reversals that remove their own record need no copy of it. */
function isTracking(loss: Extract<Loss, { kind: "rows" }>, tracking: TrackingTable): boolean {
  return loss.table.name === tracking.table && (loss.table.schema ?? tracking.schema) === tracking.schema;
}
