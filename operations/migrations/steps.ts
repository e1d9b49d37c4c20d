import type { Lock, LockMode } from "./sql/locks.ts";
import { stronger } from "./sql/locks.ts";
import { quoteName } from "./sql/names.ts";
import { parseScript } from "./sql/parse.ts";
import { understand } from "./sql/script.ts";
import type { Script } from "./sql/script.ts";
import type { Migration, StepClass } from "./types.ts";

/** One migration applied or taken back. */
export interface Step {
  readonly direction: "forward" | "reverse";
  readonly database: string;
  readonly version: string;
  readonly name: string;
  /** For messages: `meal_planner 23 (up)`. */
  readonly where: string;
  /** Where the SQL comes from. */
  readonly source: "file" | "ledger";
  readonly script: Script;
  readonly class: StepClass;
  /** Statements that raise an error unless the migration is in place; they leave nothing behind. */
  readonly verify?: readonly string[] | undefined;
  /** Why it runs outside of the transaction of the others, committed statement by statement; undefined: it does not. */
  readonly alone?: string;
  /** Row in `rollback.migration` that a reversal ends; undefined: adopted in the same run. */
  readonly ledgerId?: string;
  /** What a forward step records. */
  readonly migration?: Migration;
}

/** A step with its SQL understood. Throws the Refusals of `understand`. */
export function stepOf(of: {
  readonly direction: "forward" | "reverse";
  readonly database: string;
  readonly version: string;
  readonly name: string;
  readonly sql: string;
  readonly source: "file" | "ledger";
}): Step {
  const where = `${of.database} ${of.version} (${of.direction === "forward" ? "up" : "down"})`;
  const script = understand(of.sql, where);
  return {
    direction: of.direction,
    database: of.database,
    version: of.version,
    name: of.name,
    source: of.source,
    where,
    script,
    class: scriptClass(script),
  };
}

/** The statements of a verify script; its own BEGIN and ROLLBACK are left out, as it is undone anyway. */
export function verification(sql: string, where: string): string[] {
  return parseScript(sql, where).flatMap((each) => ("TransactionStmt" in each.node ? [] : [each.sql]));
}

/** What SQL does, judged by itself. */
export function scriptClass(script: Script): StepClass {
  if (script.statements.length === 0) return "no-op";
  if (script.statements.some((statement) => statement.opaque !== undefined)) return "opaque";
  const outside = script.statements.some((each) => each.outside !== undefined && !each.outside.hasPlainForm);
  if (outside) return "not transactional";
  if (script.statements.some((statement) => statement.losses.length > 0)) return "destroys data";
  return "exact";
}

/** Class of a migration's forward SQL; `opaque` for one that cannot be understood (it is applied already). */
export function classOf(database: string, migration: Migration): StepClass {
  try {
    return scriptClass(understand(migration.up, `${database} ${migration.version} (up)`));
  } catch {
    // It was applied by another tool that may feed psql commands or run outside of a transaction: not ours to refuse.
    return "opaque";
  }
}

/** The strongest lock per table over all statements, in the order in which the tables are first met. */
export function strongestLocks(scripts: readonly Script[]): Lock[] {
  const found = new Map<string, { lock: Lock; mode: LockMode }>();
  for (const script of scripts) {
    for (const { locks } of script.statements) {
      for (const lock of locks) {
        const key = quoteName(lock.table);
        const before = found.get(key);
        found.set(key, { lock, mode: before === undefined ? lock.mode : stronger(before.mode, lock.mode) });
      }
    }
  }
  return [...found.values()].map(({ lock, mode }) => ({ table: lock.table, mode }));
}

/** The steps of a plan that go one way. */
export function stepsOf(plan: { readonly steps: readonly Step[] }, direction: Step["direction"]): Step[] {
  return plan.steps.filter((step) => step.direction === direction);
}
