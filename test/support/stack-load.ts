import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { findClientRefs, startLoad, verifyRows, type LoadResult } from "./load.ts";
import type { Ended } from "./stack-command.ts";
import { linesOf } from "./stack-events.ts";
import type { RunOptions, ScratchStack } from "./stack.ts";

/** What clients saw of a change, and how the change went. */
export interface Witnessed {
  readonly ended: Ended;
  readonly load: LoadResult;
  readonly since: number;
}

/** Runs `pulumi up` under the published load, with a second of it before and after. */
export async function underLoad(stack: ScratchStack, options: RunOptions = {}): Promise<Witnessed> {
  const load = await startLoad({ url: stack.url, idPrefix: `load-${String(Date.now())}` });
  try {
    await sleep(1_000);
    const since = load.mark("up");
    const ended = await stack.up(options);
    await sleep(1_000);
    return { ended, load: await load.stop(), since };
  } finally {
    await load.stop();
  }
}

/** 0 failed requests, every acknowledged row there once, and nothing from the release that left after the switch. */
export async function assertUnharmed(stack: ScratchStack, { load }: Witnessed): Promise<void> {
  assert.deepEqual(load.report.failures, []);
  const rows = await verifyRows(load.report.acknowledged, async (ids) => {
    const found = await stack.query("meal_planner", findClientRefs, [ids]);
    return found.map(({ client_ref: id }) => String(id));
  });
  assert.ok(rows.acknowledged > 50, `only ${rows.acknowledged} writes were acknowledged`);
  assert.deepEqual([rows.lost, rows.duplicated], [[], []]);
}

/** Milliseconds that the traffic effect says requests were held. */
export function heldFor({ events }: Ended): number | undefined {
  const line = linesOf(events, "traffic").find((text) => text.includes("held for"));
  const seconds = /held for ([\d.]+) s/.exec(line ?? "")?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
