import { Refusal } from "../../settings/refusal.ts";
import type { TableSize } from "./observe.ts";
import type { DatabasePlan } from "./plan.ts";
import { quoteName } from "./sql/names.ts";
import type { Loss } from "./sql/losses.ts";

/** How far a reversal may go without being asked for by name. */
export interface Limits {
  /** Milliseconds that keeping what a reversal destroys may take; Infinity: as long as it takes. */
  readonly archiveMs: number;
  /** What becomes of a reversal whose effect cannot be known from its text. */
  readonly opaque: "refuse" | "accept";
  /** How to allow either, e.g. the configuration keys to set, a line each. */
  readonly allow: { readonly archive: string; readonly opaque: string };
}

type Reversal = Pick<DatabasePlan, "database" | "steps">;

/** Rows and bytes a second that an archive is reckoned with: half of what 1.5 million rows took on two busy cores. */
const rowRate = 250e3;
const byteRate = 80e6;

/**
 * Throws a Refusal `SCHEMA_OPAQUE` when a reversal's effect cannot be known, so that nothing could be kept of what it
 * destroys, and `SCHEMA_ARCHIVE_LONG` when keeping it would take longer than is allowed; before anything stops. Pure.
 */
export function refuseBeyond(
  plan: Reversal,
  sizes: ReadonlyMap<string, TableSize>,
  { archiveMs, opaque, allow }: Limits,
): void {
  const unknown = plan.steps.flatMap(({ direction, where, script }) =>
    direction === "reverse"
      ? script.statements.flatMap(({ opaque: why, line }) =>
          why === undefined ? [] : [`${where}, line ${line}: ${why}`],
        )
      : [],
  );
  if (opaque === "refuse" && unknown.length > 0) {
    throw new Refusal({
      code: "SCHEMA_OPAQUE",
      found: `what a reversal of ${plan.database} does cannot be known from its text, so nothing could be kept of what it destroys: ${unknown.join("; ")}.`,
      untouched: "Nothing was stopped or changed.",
      next: `Write it as plain statements; or, when it has been read and a dump is enough:  ${allow.opaque}`,
    });
  }
  const ms = archiveTime(plan, sizes);
  if (ms <= archiveMs) return;
  throw new Refusal({
    code: "SCHEMA_ARCHIVE_LONG",
    found: `keeping what the reversal of ${plan.database} destroys would take about ${seconds(ms)}, more than the ${seconds(archiveMs)} that are allowed.`,
    untouched: "Nothing was stopped or changed.",
    next: `Allow it:  ${allow.archive}\nOr let the columns and tables stay, in a release that does not need them gone.`,
  });
}

/** Milliseconds that keeping what a plan's reversals destroy takes at most, a table once. Pure. */
export function archiveTime(plan: Reversal, sizes: ReadonlyMap<string, TableSize>): number {
  const whole = new Map<string, boolean>();
  for (const { direction, script } of plan.steps) {
    if (direction !== "reverse") continue;
    for (const { losses } of script.statements) for (const loss of losses) note(whole, loss);
  }
  return [...whole].reduce((sum, [table, all]) => {
    const size = sizes.get(table);
    if (size === undefined) return sum;
    // Of a column only its values and the key are copied, whatever else is in the table.
    return sum + 1000 * Math.max(size.rows / rowRate, all ? size.bytes / byteRate : 0);
  }, 0);
}

function note(whole: Map<string, boolean>, loss: Loss): void {
  if (loss.kind === "object") return;
  const table = quoteName(loss.table);
  whole.set(table, whole.get(table) === true || loss.kind !== "column");
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
