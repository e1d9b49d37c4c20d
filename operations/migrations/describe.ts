import Table from "cli-table3";
import { hasWork } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import type { TableSize } from "./observe.ts";
import type { SchemaPlan } from "./schema-plan.ts";
import { lockModes } from "./sql/locks.ts";
import type { Loss } from "./sql/losses.ts";
import { quoteName, showName } from "./sql/names.ts";
import { strongestLocks } from "./steps.ts";
import type { Step } from "./steps.ts";

/** The plan as a table for people: what is applied or reversed, its class, what it locks, what data it destroys. */
export function describePlan(plan: SchemaPlan): string {
  const parts = plan.databases
    .filter((each) => hasWork(each) || each.notes.length > 0)
    .map((each) => describeDatabase(each, plan));
  return parts.length === 0 ? "Every schema is as wanted." : parts.join("\n");
}

function describeDatabase(plan: DatabasePlan, { sizes }: SchemaPlan): string {
  const lines = [headline(plan)];
  const known = sizes.get(plan.database) ?? new Map<string, TableSize>();
  // What one needs to know first, above a table that a narrow terminal breaks.
  const works = [...new Set(plan.steps.flatMap((step) => workLines(step, known)))];
  if (works.length > 0) lines.push(`  whole tables, while they are locked: ${few(works, "; ")}`);
  lines.push(...plan.notes.map((note) => `  ${note.code}: ${note.text}`));
  if (plan.steps.length > 0) lines.push(stepTable(plan, known));
  return lines.join("\n");
}

function headline(plan: DatabasePlan): string {
  const back = plan.steps.filter((step) => step.direction === "reverse").length;
  const forth = plan.steps.length - back;
  const what = [
    back > 0 ? `${count(back, "migration")} reversed in one transaction` : "",
    forth > 0 ? `${count(forth, "migration")} applied` : "",
    plan.adopt.length > 0
      ? `${count(plan.adopt.length, "applied migration")} taken over into the ledger`
      : "",
  ].filter((text) => text !== "");
  const course = plan.steps.length === 0 ? `stays at ${plan.to}` : `${plan.from ?? "empty"} → ${plan.to}`;
  return `${plan.database} ${course}${what.length === 0 ? "" : `: ${what.join(", ")}`}`;
}

function stepTable(plan: DatabasePlan, sizes: ReadonlyMap<string, TableSize>): string {
  const table = new Table({
    head: ["", "migration", "class", "locks", "whole tables", "data destroyed (archived)"],
    style: { head: [], border: [], compact: true },
  });
  for (const step of plan.steps) {
    const destroyed = lossesOf(step).map((loss) => describeLoss(loss, sizes));
    const kept = step.direction === "forward" ? destroyed.map((text) => `${text}, not archived`) : destroyed;
    table.push([
      step.direction === "reverse" ? "reverse" : "apply",
      `${step.version} ${step.name}`,
      step.class,
      lockLines(step).join("\n"),
      workLines(step, sizes).join("\n"),
      kept.join("\n"),
    ]);
  }
  return table.toString();
}

/** Tables of which every row is written or read while they are locked. */
function workLines(step: Step, sizes: ReadonlyMap<string, TableSize>): string[] {
  const lines = step.script.statements.flatMap(({ works }) =>
    works.map(({ table, how }) => {
      const size = sizes.get(quoteName(table));
      const of = size === undefined ? "" : ` (${bytes(size.bytes)})`;
      return `${showName(table)}: ${how === "rewrites" ? "rewritten" : "scanned"}${of}`;
    }),
  );
  return [...new Set(lines)];
}

function lossesOf(step: Step): Loss[] {
  return step.script.statements.flatMap((statement) => statement.losses);
}

function lockLines(step: Step): string[] {
  const strong = strongestLocks([step.script]).filter(
    (lock) => lockModes.indexOf(lock.mode) >= lockModes.indexOf("ROW EXCLUSIVE"),
  );
  const lines = strong.map((lock) => `${showName(lock.table)}: ${lock.mode.toLowerCase()}`);
  return lines.length <= 6 ? lines : [...lines.slice(0, 5), `… and ${lines.length - 5} more`];
}

function few(items: readonly string[], separator: string): string {
  return items.length <= 6
    ? items.join(separator)
    : `${items.slice(0, 5).join(separator)}${separator}… and ${items.length - 5} more`;
}

function describeLoss(loss: Loss, sizes: ReadonlyMap<string, TableSize>): string {
  if (loss.kind === "object") return `${loss.type} ${showName(loss.name)} with everything that depends on it`;
  const size = sizes.get(quoteName(loss.table));
  const name = showName(loss.table);
  const rows =
    size === undefined
      ? ""
      : ` (about ${Math.round(size.rows).toLocaleString("en")} rows, ${bytes(size.bytes)})`;
  switch (loss.kind) {
    case "table":
      return `table ${name}${loss.how === "truncate" ? " emptied" : ""}${rows}`;
    case "column":
      return `column ${name}.${loss.column}${loss.how === "retype" ? " converted" : ""}${rows}`;
    case "rows":
      return `rows of ${name} ${loss.how}d${size === undefined ? "" : `, of at most ${Math.round(size.rows).toLocaleString("en")}`}`;
  }
}

function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log(count) / Math.log(1024)), units.length - 1);
  return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ""}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
