import assert from "node:assert/strict";
import type { ReleaseName } from "../../examples/meal-planner/catalogue.ts";
import { parsePosition } from "./recovery-positions.ts";
import type { Acknowledged, Prepared, State } from "./recovery-workload.ts";
import type { ScratchStack } from "./stack.ts";

/** What is on the way to where a volume stands: all that was acknowledged, in its order. */
export interface Branch {
  readonly start: State;
  readonly commits: readonly Acknowledged[];
  /** First phases of two-phase commits. */
  readonly prepared: readonly Prepared[];
}

/** A target, and what the workload's own log says about it. */
export type MatrixTarget =
  | { readonly time: string; readonly written?: string }
  | { readonly xid: string }
  | { readonly lsn: string }
  | { readonly restorePoint: string; readonly lsn: bigint }
  | { readonly before: ReleaseName; readonly lsn: bigint };

/** As it stands in the stack file. Pure. */
export function configured(target: MatrixTarget): Record<string, string> {
  if ("time" in target) return { time: target.written ?? target.time };
  if ("before" in target) return { before: target.before };
  return "restorePoint" in target ? { restorePoint: target.restorePoint } : { ...target };
}

/** What the target keeps of what was acknowledged. Pure. */
export function keptAt({ start, commits, prepared }: Branch, target: MatrixTarget): Branch {
  const count = keptCount(commits, target);
  const last = commits[count - 1];
  return {
    ...{ start, commits: commits.slice(0, count) },
    prepared: prepared.filter(({ lsn, time }) => {
      if ("time" in target) return time <= target.time;
      return "lsn" in target ? lsn < endOf(target) : lsn < (last?.lsn ?? 0n);
    }),
  };
}

function keptCount(commits: readonly Acknowledged[], target: MatrixTarget): number {
  if ("xid" in target) return commits.findIndex(({ xid }) => xid === target.xid) + 1;
  const first = commits.findIndex(({ time, lsn }) =>
    "time" in target ? time > target.time : lsn >= endOf(target),
  );
  return first === -1 ? commits.length : first;
}

function endOf({ lsn }: { readonly lsn: string | bigint }): bigint {
  return typeof lsn === "bigint" ? lsn : parsePosition(lsn);
}

/** What was prepared and not committed yet still is, and holds what it wrote; it is taken back here. */
export async function checkPrepared(stack: ScratchStack, { commits, prepared }: Branch): Promise<void> {
  const committed = new Set(commits.map(({ xid }) => xid));
  const open = prepared.filter(({ xid }) => !committed.has(xid)).map(({ gid }) => gid);
  const rows = await stack.query("mealie", "select gid from pg_prepared_xacts order by gid");
  assert.deepEqual(
    rows.map(({ gid }) => gid),
    open.sort(),
  );
  for (const gid of open) await stack.query("mealie", `rollback prepared '${gid}'`);
}

/** A sequence may skip numbers, but never gives one out twice. */
export async function checkSequence(stack: ScratchStack, { commits }: Branch): Promise<void> {
  const used = commits.filter(({ label }) => label === "sequence").length;
  const [row] = await stack.query("mealie", "select last_value from workload.counter");
  assert.ok(Number(row?.["last_value"]) >= used);
}
