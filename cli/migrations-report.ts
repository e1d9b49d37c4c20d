import Table from "cli-table3";
import { describePutBack } from "../operations/migrations/archives/describe.ts";
import type { SchemaResult } from "../operations/migrations/carry-out.ts";
import type { SchemaPlan } from "../operations/migrations/schema-plan.ts";
import type { DatabaseState } from "../operations/migrations/standing.ts";
import { strongestLocks } from "../operations/migrations/steps.ts";
import { showName } from "../operations/migrations/sql/names.ts";

/** A plan as plain data, as `rollback migrations plan --json` prints it. */
export function planJson(plan: SchemaPlan): object {
  const [only] = plan.databases;
  if (only === undefined) return {};
  return {
    database: only.database,
    layout: only.reader.name,
    from: only.from ?? "0",
    to: only.to,
    adopted: only.adopt.map(({ migration }) => migration.version),
    steps: only.steps.map((step) => ({
      direction: step.direction,
      version: step.version,
      name: step.name,
      class: step.class,
      source: step.source,
      locks: strongestLocks([step.script]).map(({ table, mode }) => ({ table: showName(table), mode })),
      works: step.script.statements.flatMap(({ works, line }) =>
        works.map(({ table, how }) => ({ table: showName(table), how, line })),
      ),
      destroys: step.script.statements.flatMap(({ losses }) =>
        losses.map((loss) => ({
          ...loss,
          ...(loss.kind === "object" ? {} : { table: showName(loss.table) }),
        })),
      ),
    })),
    notes: only.notes,
  };
}

/** What was done as plain data: the plan, and what came of it. */
export function resultJson(
  plan: SchemaPlan,
  { run, tries, milliseconds, archived, putBack }: SchemaResult,
): object {
  return { ...planJson(plan), run, tries, milliseconds, archived, putBack };
}

/** What was done, in a few lines. */
export function resultText(plan: SchemaPlan, done: SchemaResult): string {
  const [only] = plan.databases;
  if (only === undefined) return "";
  const seconds = (done.milliseconds / 1000).toFixed(2);
  const lines = [
    done.changed.length === 0
      ? `${only.database} is at ${only.to}; there was nothing to do.`
      : `${only.database} is at ${only.to}: ${String(done.steps)} migration${done.steps === 1 ? "" : "s"} in ${seconds} s${done.tries > 1 ? `, at the ${String(done.tries)}th try` : ""}.`,
    ...(only.adopt.length > 0 ? [`  ${String(only.adopt.length)} taken over into the ledger`] : []),
    ...done.archived.map(
      (each) => `  kept: rollback.${each.name}, ${String(each.rows)} rows of ${each.source} (${each.how})`,
    ),
    ...done.putBack.map((each) => `  from rollback.${each.name} to ${each.source}: ${describePutBack(each)}`),
  ];
  return lines.join("\n");
}

/** Where a database stands, as a table. */
export function stateText({ database, layout, version, migrations, ledger, drift }: DatabaseState): string {
  const table = new Table({
    head: ["version", "name", "state", "reversal", "class", "release"],
    style: { head: [], border: [], compact: true },
  });
  for (const each of migrations) {
    const state = [each.state, ...(each.edited ? ["edited since"] : []), each.trouble ?? []]
      .flat()
      .join(", ");
    table.push([
      each.version,
      each.name,
      state,
      each.reversal ?? "none",
      each.class ?? "",
      each.release ?? "",
    ]);
  }
  const pending = migrations.filter(({ state }) => state === "pending").length;
  return [
    `${database} (${layout}) is at ${version}; ${String(pending)} pending${ledger ? "" : "; no ledger yet: up, down or adopt begin one"}`,
    table.toString(),
    ...drift.map((line) => `changed by something else: ${line}`),
  ].join("\n");
}
