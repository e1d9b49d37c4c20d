import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning } from "../../../operations/docker/observe.ts";
import { docker } from "../../../operations/docker/run.ts";
import { liveIn } from "../../../operations/stack-file/live.ts";
import { loginRole } from "../../../settings/names.ts";
import { killFromOutside } from "../../support/container-kill.ts";
import { watchCreations } from "../../support/docker-events.ts";
import { startLoad, type LoadResult } from "../../support/load.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { lineOf, stepOf } from "../../support/stack-events.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";
import type { Ended, Running } from "../../support/stack-command.ts";

describe("a release that fails after it was found healthy", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  const deploy = (bake: string): Promise<void> =>
    stack.configure({ live: { "1.2.3": 100 }, standby: ["1.2.1"], safety: { bake } });
  const plannerOf = async (release: string): Promise<string> => {
    const found = (await stack.containers()).find(({ name }) => name.includes(`-meal-planner-${release}-`));
    assert.ok(found !== undefined, `there is no container of ${release}`);
    return found.name;
  };
  /** `pulumi up` under load; `disturb` is called when the new release has passed its checks and bakes. */
  const disturbed = async (
    disturb: (running: Running) => Promise<void>,
  ): Promise<{ ended: Ended; load: LoadResult; over: number }> => {
    const load = await startLoad({ url: stack.url, connections: 8 });
    try {
      const running = await stack.startUp();
      await running.waitFor(lineOf("verification", /^baking/));
      await disturb(running);
      const ended = await running.ended;
      const over = load.mark("over");
      await sleep(2_000);
      return { ended, load: await load.stop(), over };
    } finally {
      await load.stop();
    }
  };
  /** The `up` failed and said so; everybody is back on 1.2.1 and stays there, and the file names it. */
  const assertBack = async ({ ended, load, over }: Awaited<ReturnType<typeof disturbed>>): Promise<void> => {
    assert.notEqual(ended.exitCode, 0, ended.output);
    assert.match(ended.output, /refused VERIFICATION_FAILED: .*bake 1\.2\.3: more than 5 % errors/);
    assert.match(ended.output, /Traffic went back to 1\.2\.1 at once/);
    const later = load.records.filter(({ startedAt }) => startedAt > over);
    assert.deepEqual(
      [...new Set(later.map(({ release, status }) => `${release ?? "none"} ${(status ?? 0) < 300}`))],
      ["1.2.1 true"],
    );
    const changes = load.records
      .filter(({ release }) => release !== undefined)
      .sort((one, other) => one.startedAt - other.startedAt)
      .map(({ release }) => release)
      .filter((release, n, all) => n > 0 && release !== all[n - 1]);
    assert.ok(changes.length <= 12, `it changed ${changes.length} times between releases`);
    assert.deepEqual(liveIn(await readFile(stack.file, "utf8")), new Map([["1.2.1", 100]]));
  };
  const afterwards = async (): Promise<void> => {
    await stack.up();
    await stack.configure({ live: { "1.2.1": 100 } });
    await stack.up();
    await assertServes(stack, "1.2.1");
  };

  before(async () => {
    stack = await createStack();
    await stack.configure({ live: { "1.2.1": 100 } });
    await stack.up();
  });
  after(() => stack.cleanup());

  it("and crashes under load loses the traffic within the bake time, once", async () => {
    await deploy("20s");
    const seen = await disturbed(async (running) => {
      const planner = await plannerOf("1.2.3");
      // Docker starts it again each time, after ever longer pauses.
      for (let crash = 0; crash < 6; crash += 1) {
        await killFromOutside(planner).catch(() => undefined);
        await Promise.race([sleep(200), running.ended]);
      }
    });
    await assertBack(seen);
    await afterwards();
  });

  it("and loses its database answers with errors, and loses the traffic", async () => {
    await deploy("20s");
    const role = loginRole("meal_planner", "1.2.3");
    const seen = await disturbed(async () => {
      await stack.query("postgres", `ALTER ROLE ${role} NOLOGIN`);
      await stack.query(
        "postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1",
        [role],
      );
    });
    await assertBack(seen);
    await afterwards();
  });

  it("but is only slow to start is waited for, and nobody notices", async () => {
    await deploy("0s");
    const load = await startLoad({ url: stack.url, connections: 8 });
    const creations = watchCreations();
    const running = await stack.startUp();
    const planner = await Promise.race([
      creations.made(/-meal-planner-1\.2\.3-/),
      running.ended.then(() => ""),
    ]);
    await creations.close();
    assert.notEqual(planner, "");
    await running.waitFor(stepOf("containers"));
    const name = await plannerOf("1.2.3");
    // It is made before it is started, and the schema comes in between.
    while (!(await isRunning(name))) await sleep(20);
    await docker(["pause", name]);
    await sleep(4_000);
    await docker(["unpause", name]);
    const { exitCode, output } = await running.ended;
    const { report } = await load.stop();
    assert.equal(exitCode, 0, output);
    assert.deepEqual(report.failures, []);
    await stack.configure({ live: { "1.2.3": 100 } });
    await stack.up();
    await assertServes(stack, "1.2.3");
  });
});
