import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { docker } from "../../../operations/docker/run.ts";
import { liveIn } from "../../../operations/stack-file/live.ts";
import { askStack, assertServes } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

const command = path.join(import.meta.dirname, "../../../cli/rollback.mjs");

describe("rollback monitor", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  const monitor = (): Promise<{ exitCode?: number | undefined; all: string }> =>
    execa(process.execPath, [command, "monitor", "--once", "--stack", stack.stack], {
      all: true,
      cwd: path.join(stack.folder, "project"),
      env: stack.env,
      reject: false,
    });

  before(async () => {
    stack = await createStack();
    await stack.configure({ live: { "1.2.1": 100 }, releases: ["1.2.1", "1.2.3"] });
    await stack.up();
    await stack.configure({ live: { "1.2.3": 100 }, standby: ["1.2.1"] });
    await stack.up();
  });
  after(() => stack.cleanup());

  it("finds nothing wrong with a release that answers", async () => {
    const { exitCode, all } = await monitor();
    assert.deepEqual([exitCode, all], [0, "all is well"]);
  });

  it("takes back a release that stopped answering, in the stack file too", async () => {
    const failed = (await stack.containers()).find(({ name }) => /meal-planner-1\.2\.3/.test(name));
    assert.ok(failed);
    await docker(["stop", "--time", "1", failed.name]);
    // Together: each waits a second for a container that is not there.
    await Promise.all(Array.from({ length: 60 }, () => askStack(stack, "/api/logs")));
    // The router writes its log once a second.
    await sleep(1_200);
    const { exitCode, all } = await monitor();
    assert.equal(exitCode, 0, all);
    assert.match(all, /going back to 1\.2\.1: bake 1\.2\.3: .*more than 5 % errors/);
    await assertServes(stack, "1.2.1");
    const file = path.join(stack.folder, "project", `Pulumi.${stack.stack}.yaml`);
    assert.deepEqual(liveIn(await readFile(file, "utf8")), new Map([["1.2.1", 100]]));
  });

  it("leaves it at that", async () => {
    assert.equal((await monitor()).all, "all is well");
  });
});
