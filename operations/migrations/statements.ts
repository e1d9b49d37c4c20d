import { identifier, literal } from "../database/query.ts";
import type { TrackingTable } from "./layouts/layout.ts";
import type { Loss } from "./sql/losses.ts";
import { quoteName } from "./sql/names.ts";
import type { ScriptStatement } from "./sql/script.ts";
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

/** Settings of our transaction, made again after a migration that changes settings. */
export function preamble({ lockTimeoutMs, statementTimeoutMs }: RunContext): string {
  return `SET LOCAL lock_timeout = ${lockTimeoutMs}; SET LOCAL statement_timeout = ${statementTimeoutMs}`;
}

/** Everything one step runs, as one string: its statements as the owner, with what they destroy kept, and its record. */
export function stepSql(step: Step, before: string | undefined, context: RunContext): string {
  const asOwner = `SET LOCAL ROLE ${identifier(context.owner)}`;
  const lines = [asOwner];
  for (const statement of step.script.statements) {
    const keeping =
      step.direction === "reverse" ? keepers(step, statement, context) : { before: [], after: [] };
    const wrap = (sql: readonly string[]) =>
      sql.length === 0 ? [] : ["SET LOCAL ROLE NONE", ...sql, asOwner];
    lines.push(...wrap(keeping.before), statement.sql, ...wrap(keeping.after));
  }
  const migration = { version: step.version, name: step.name, checksum: step.migration?.checksum ?? "" };
  if (step.script.changesSettings) lines.push("RESET ALL", preamble(context), asOwner);
  lines.push(
    step.direction === "forward"
      ? context.tracking.record(migration, before)
      : context.tracking.remove(migration, before),
    "SET LOCAL ROLE NONE",
  );
  // A statement may end in a comment without a line break.
  return lines.join("\n;\n");
}

/** Calls that keep what a statement destroys: before it, and after it for rows that only it can tell. */
export function keepers(
  step: Pick<Step, "version">,
  { losses }: Pick<ScriptStatement, "losses">,
  { run, owner, tracking }: RunContext,
): { before: string[]; after: string[] } {
  const tail = `${literal(step.version)}, ${literal(run)})`;
  const resolve = (kind: string, name: string) =>
    `rollback.resolve(${literal(kind)}, ${literal(name)}, ${literal(owner)})`;
  const before: string[] = [];
  const after: string[] = [];
  const columns = new Map<string, { how: string; names: string[] }>();
  for (const loss of losses) {
    switch (loss.kind) {
      case "table":
        before.push(
          `SELECT rollback.keep_table(${resolve("table", quoteName(loss.table))}, ${literal(loss.how)}, ${loss.cascade}, ${tail}`,
        );
        break;
      case "column": {
        const key = quoteName(loss.table);
        const found = columns.get(key) ?? { how: loss.how, names: [] };
        columns.set(key, {
          how: found.how === "drop" ? "drop" : loss.how,
          names: [...found.names, loss.column],
        });
        break;
      }
      case "rows":
        if (isTracking(loss, tracking)) break;
        before.push(
          `SELECT rollback.watch(${resolve("table", quoteName(loss.table))}, ${literal(loss.how)}, ${tail}`,
        );
        if (after.length === 0) after.push("SELECT rollback.unwatch()");
        break;
      case "object": {
        const name = quoteName(loss.name);
        before.push(
          `SELECT rollback.keep_object(${literal(loss.type)}, ${resolve(loss.type, name)}, ${tail}`,
        );
        break;
      }
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
