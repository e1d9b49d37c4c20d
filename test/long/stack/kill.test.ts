import assert from "node:assert/strict";
import { startLoad, type Load } from "../../support/load.ts";
import { watchCreations } from "../../support/docker-events.ts";
import { assertServes, askStack } from "../../support/stack-checks.ts";
import type { Running } from "../../support/stack-command.ts";
import { changedResources, lineOf, stepOf, type EngineEvent } from "../../support/stack-events.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

/** Resolves at the instant at which the engine is to die. */
type Instant = (running: Running, stack: ScratchStack) => Promise<unknown>;

const at =
  (matches: (event: EngineEvent) => boolean): Instant =>
  (running) =>
    running.waitFor(matches);

/** As soon as Docker has made a container of this name, and long before the engine knows of it. */
const onceMade =
  (name: RegExp): Instant =>
  async (running, stack) => {
    const docker = watchCreations();
    try {
      const own = new RegExp(`^${stack.names.network}.*${name.source}`);
      await Promise.race([docker.made(own), running.ended]);
    } finally {
      await docker.close();
    }
  };

/** `pulumi up`, killed with SIGKILL at that instant. */
async function killedAt(stack: ScratchStack, instant: Instant): Promise<void> {
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

/** From the first step of a run to its last; the lines tell that an effect is in the middle of its work. */
const instants: readonly (readonly [string, Instant])[] = [
  ["the preflight", at(stepOf("preflight"))],
  ["the backup", at(lineOf("backup", /./))],
  ["the creation of a service's container", onceMade(/-meal-planner-1\.2/)],
  ["the flags", at(stepOf("flags"))],
  ["the server's readiness check", at(stepOf("ready"))],
  ["the fence, when requests are held", at(lineOf("fence", /requests are held/))],
  ["the fence, when roles are closed", at(lineOf("fence", /closed in the database/))],
  ["the schema, in its transaction", at(lineOf("schema", /\(2 of 3\)/))],
  ["the schema, when it is over", at(stepOf("schema", "done"))],
  ["the caches", at(stepOf("caches"))],
  ["the creation of a release's role", at(stepOf(/^meal_planner_1_2_\d$/))],
  ["the wait for healthy containers", at(stepOf("containers"))],
  ["the switch of the traffic", at(stepOf("traffic"))],
  ["the verification", at(stepOf("verification"))],
  ["the removal of what leaves", at((event) => event.kind === "step" && event.op === "delete")],
];

describe("an engine that is killed", function () {
  this.timeout(180_000);

  describe("while it rolls a release out or back", () => {
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
  });

  describe("while it makes a stack for the first time", () => {
    let stack: ScratchStack;
    before(async () => {
      stack = await createStack();
      await stack.configure({ live: { "1.2.0": 100 }, safety: { bake: "0s" } });
    });
    after(() => stack.cleanup());

    const firstInstants: readonly (readonly [string, Instant])[] = [
      ["the network", onceMade(/$/)],
      ["the door", onceMade(/-door$/)],
      ["the router", onceMade(/-router$/)],
      ["the cache", onceMade(/-redis$/)],
      ["the database server", onceMade(/-postgres$/)],
      ["an owner's role", at(stepOf("meal_planner_owner"))],
      ["a database", at(stepOf("meal_planner"))],
      ["the schema", at(lineOf("schema", /\(5 of 20\)/))],
    ];
    for (const [where, instant] of firstInstants) {
      it(`in the creation of ${where}: cancel and up go on`, async () => {
        await killedAt(stack, instant);
      });
    }

    it("ends in one consistent release", async () => {
      await stack.up();
      await assertServes(stack, "1.2.0");
      assert.equal((await askStack(stack, "/health")).status, 200);
      assert.deepEqual(changedResources((await stack.up()).events), {});
    });
  });
});
