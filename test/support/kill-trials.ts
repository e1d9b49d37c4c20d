import assert from "node:assert/strict";
import { startLoad, type Load } from "./load.ts";
import { watchCreations } from "./docker-events.ts";
import { assertServes } from "./stack-checks.ts";
import type { Running } from "./stack-command.ts";
import { changedResources, type EngineEvent } from "./stack-events.ts";
import { createStack, type ScratchStack } from "./stack.ts";

/** Resolves at the instant at which the engine is to die. */
export type Instant = (running: Running, stack: ScratchStack) => Promise<unknown>;

export const at =
  (matches: (event: EngineEvent) => boolean): Instant =>
  (running) =>
    running.waitFor(matches);

/** As soon as Docker has made a container of this name, and long before the engine knows of it. */
export const onceMade =
  (name: RegExp): Instant =>
  (running, stack) =>
    onceTold("create", name, running, stack);

/** As soon as a container of this name has ended. */
export const onceEnded =
  (name: RegExp): Instant =>
  (running, stack) =>
    onceTold("die", name, running, stack);

async function onceTold(
  event: "create" | "die",
  name: RegExp,
  running: Running,
  stack: ScratchStack,
): Promise<void> {
  const docker = watchCreations(event);
  try {
    const own = new RegExp(`^${stack.names.network}.*${name.source}`);
    await Promise.race([docker.made(own), running.ended]);
  } finally {
    await docker.close();
  }
}

/** `pulumi up`, killed with SIGKILL at that instant. */
export async function killedAt(stack: ScratchStack, instant: Instant): Promise<void> {
  const running = await stack.startUp();
  await instant(running, stack);
  await stack.kill(running);
  const { exitCode, signal, output } = await running.ended;
  assert.equal(
    signal,
    "SIGKILL",
    `the engine was to be killed, and ended with ${String(exitCode)}:\n${output}`,
  );
  await stack.cancel();
}

/**
 * Specifies that an engine which is killed at each of these instants of a release or a rollback, under load, leaves what the
 * next `up` finishes or takes back, by turns.
 */
export function killTrials(instants: readonly (readonly [string, Instant])[]): void {
  let stack: ScratchStack;
  let load: Load;
  let live: "1.2.0" | "1.2.1" = "1.2.0";
  const configure = (release: "1.2.0" | "1.2.1"): Promise<void> =>
    stack.configure({
      live: { [release]: 100 },
      releases: ["1.2.0", "1.2.1"],
      safety: { bake: "0s" },
      gateway: { hold: "20s" },
    });

  before(async () => {
    stack = await createStack();
    await configure(live);
    await stack.up();
    load = await startLoad({ url: stack.url, connections: 3, thinkTime: 50 });
  });
  after(async () => {
    await load.stop();
    await stack.cleanup();
  });

  for (const [n, [where, instant]] of instants.entries()) {
    // By turns: the next run finishes what was begun, or goes back to where it came from.
    const finishes = n % 2 === 0;
    it(`in ${where}: the next up ${finishes ? "finishes" : "goes back"}`, async () => {
      const target = live === "1.2.0" ? "1.2.1" : "1.2.0";
      await configure(target);
      await killedAt(stack, instant);
      if (finishes) live = target;
      await configure(live);
      await stack.up();
      await assertServes(stack, live);
    });
  }

  it("leaves nothing to do behind", async () => {
    assert.deepEqual(changedResources((await stack.up()).events), {});
  });

  it("never showed clients a release on the wrong schema: an answer, or 503 until the next up", async () => {
    const { report } = await load.stop();
    const unexpected = report.failures.filter(({ why }) => why !== "503");
    assert.deepEqual(unexpected, []);
    assert.ok(report.acknowledged.length > 100);
  });
}
