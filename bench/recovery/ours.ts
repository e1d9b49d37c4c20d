import { setTimeout as sleep } from "node:timers/promises";
import { reportOf } from "../../test/support/load-report.ts";
import { startLoad } from "../../test/support/load.ts";
import type { Report } from "../report.ts";
import { laidOut, stepTimes, type Timed } from "../rollback/steps.ts";
import type { World } from "./world.ts";

/** Name of the case. */
export const ours = "recovery by `pulumi up`";

interface Way {
  readonly from: string;
  readonly volume: string;
  readonly point: string;
}

/** Recovers into a new volume by changing the configuration, while nobody works. */
export async function measureOurs(report: Report, world: World, way: Way): Promise<void> {
  report.say(`${ours}, ${way.volume} …`);
  const events: Timed[] = [];
  const started = performance.now();
  await recover(world, way, (event) => events.push(event));
  const whole = performance.now() - started;
  const times = laidOut(stepTimes(started, events));
  // Everything beside the server that goes on serving: restore, replay, and the proof of where it stopped.
  const beside = times.find(({ step }) => step === "backup")?.ms ?? 0;
  report.sample(ours, "restore and replay", "ms", beside);
  report.sample(ours, "until it serves", "ms", whole);
  for (const { name, ms } of parts(events)) report.sample(`${ours}: steps`, name, "ms", ms);
  for (const { step, ms } of times) report.sample(`${ours}: steps`, step, "ms", ms);
}

/** The same under 16 keep-alive connections: how long nobody could write. */
export async function measurePause(report: Report, world: World, way: Way): Promise<void> {
  const name = `${ours} under load`;
  report.say(`${name}, ${way.volume} …`);
  const load = await startLoad({ url: world.stack.url });
  try {
    await sleep(2_000);
    await recover(world, way, () => undefined);
    await sleep(1_000);
    const { records } = await load.stop();
    const { failed, longestGap } = reportOf(records);
    report.sample(name, "nobody was answered for", "ms", longestGap);
    report.sample(name, "failed requests", "count", failed);
  } finally {
    await load.stop();
  }
}

async function recover(
  { stack, configure }: World,
  { from, volume, point }: Way,
  tell: (event: Timed) => void,
): Promise<void> {
  await configure(volume, { from, point });
  await stack.up({ onEvent: (event) => tell({ at: performance.now(), event }) });
}

/** What the preparing consists of, from the lines that tell of it; each from the end of the one before. Pure. */
function parts(events: readonly Timed[]): { readonly name: string; readonly ms: number }[] {
  const begun = events.find(
    ({ event }) => event.kind === "step" && event.name === "backup" && event.phase === "begins",
  );
  let before = begun?.at;
  const found: { readonly name: string; readonly ms: number }[] = [];
  for (const [name, words] of [
    ["backup: restore", "restored "],
    ["backup: replay", "and paused there"],
  ] as const) {
    const line = events.find(
      ({ event }) => event.kind === "line" && !event.passing && event.text.includes(words),
    );
    if (line === undefined || before === undefined) continue;
    found.push({ name, ms: line.at - before });
    before = line.at;
  }
  return found;
}
