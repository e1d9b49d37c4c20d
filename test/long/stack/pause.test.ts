import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { startLoad, type Load } from "../../support/load.ts";
import { programOf } from "../../support/program.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { changedResources, lineOf, stepOf, type EngineEvent } from "../../support/stack-events.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

/** From the first step of a run to its last; the lines tell that an effect is in the middle of its work. */
const instants: readonly (readonly [string, (event: EngineEvent) => boolean])[] = [
  ["the preflight", stepOf("preflight")],
  ["the flags", stepOf("flags")],
  ["the backup", lineOf("backup", /./)],
  ["the server's readiness check", stepOf("ready")],
  ["the fence, when requests are held", lineOf("fence", /requests are held/)],
  ["the fence, when roles are closed", lineOf("fence", /closed in the database/)],
  ["the schema, in its transaction", lineOf("schema", /\(2 of 3\)/)],
  ["the schema, when it is over", stepOf("schema", "done")],
  ["the caches", stepOf("caches")],
  ["the wait for healthy containers", stepOf("containers")],
  ["the switch of the traffic", stepOf("traffic")],
  ["the verification", stepOf("verification")],
];

describe("a program that is stopped for longer than its lease", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  let load: Load;
  let live: "1.2.0" | "1.2.1" = "1.2.0";
  const configure = (release: "1.2.0" | "1.2.1"): Promise<void> =>
    stack.configure({ live: { [release]: 100 }, releases: ["1.2.0", "1.2.1"], gateway: { hold: "20s" } });

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

  for (const [where, instant] of instants) {
    it(`in ${where}: it finishes, or says why not and the next up does`, async () => {
      const target = live === "1.2.0" ? "1.2.1" : "1.2.0";
      await configure(target);
      const running = await stack.startUp();
      await running.waitFor(instant);
      const { program } = await programOf(running);
      process.kill(program.pid, "SIGSTOP");
      await sleep(11_000);
      process.kill(program.pid, "SIGCONT");
      const { exitCode, output } = await running.ended;
      if (exitCode !== 0) {
        assert.match(output, /refused [A-Z_]+:/);
        await stack.up();
      }
      live = target;
      await assertServes(stack, live);
    });
  }

  it("leaves nothing to do behind", async () => {
    assert.deepEqual(changedResources((await stack.up()).events), {});
  });

  it("never showed clients a release on the wrong schema: an answer, or 503", async () => {
    const { report } = await load.stop();
    assert.deepEqual(
      report.failures.filter(({ why }) => why !== "503"),
      [],
    );
    assert.ok(report.acknowledged.length > 100);
  });
});
