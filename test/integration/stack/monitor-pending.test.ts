import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { liveIn } from "../../../operations/stack-file/live.ts";
import type { StackOptions } from "../../../examples/meal-planner/stack.ts";
import { monitorOnce } from "../../support/monitor.ts";
import { askStack, assertServes, schemaVersions } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";
import { withSmokeScript } from "../../support/stack-changes.ts";

describe("rollback monitor, with a way back pending", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  /** Every release whose name is in `refused` fails its smoke script. */
  const configure = async (options: StackOptions, ...refused: readonly string[]): Promise<void> => {
    const script = path.join(stack.folder, "smoke.sh");
    await writeFile(
      script,
      `#!/bin/sh\ncase " ${refused.join(" ")} " in *" $ROLLBACK_RELEASE "*) exit 1;; esac\n`,
    );
    await chmod(script, 0o755);
    await stack.configure(options, (config) => withSmokeScript(config, script));
  };
  const liveInFile = async (): Promise<unknown> => liveIn(await readFile(stack.file, "utf8"));
  const unfinished = async (): Promise<number> => {
    const [row] = await stack.query(
      "meal_planner",
      "select count(*)::int as n from rollback.journal where finished is null",
    );
    return Number(row?.["n"]);
  };

  before(async () => {
    stack = await createStack();
    await configure({ live: { "1.2.0": 100 } });
    await stack.up();
    await configure({ live: { "1.2.1-rc1": 100 }, releases: ["1.2.0", "1.2.1-rc1"] }, "1.2.1-rc1");
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused VERIFICATION_FAILED/);
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "22", mealie: "4" });
  });
  after(() => stack.cleanup());

  it("leaves it while another run holds the stack's lock, and the stack file as it was", async () => {
    const locks = path.join(stack.folder, "state/.pulumi/locks/organization", stack.project, stack.stack);
    await mkdir(locks, { recursive: true });
    const lock = path.join(locks, "7d1ad1e6-8fd4-4c3e-b4a5-0b1f0e1c2d3a.json");
    await writeFile(
      lock,
      JSON.stringify({ pid: 1, username: "somebody", hostname: "elsewhere", timestamp: new Date() }),
    );
    const { exitCode, all } = await monitorOnce(stack);
    await rm(lock);
    assert.equal(exitCode, 1, all);
    assert.match(all, /another run is under way/);
    assert.deepEqual(await liveInFile(), new Map([["1.2.1-rc1", 100]]));
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "22", mealie: "4" });
  });

  it("takes it up when the lock is free: schema, code and stack file go back", async () => {
    const { exitCode, all } = await monitorOnce(stack);
    assert.equal(exitCode, 0, all);
    assert.match(all, /went back/);
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await liveInFile(), new Map([["1.2.0", 100]]));
    assert.equal((await monitorOnce(stack)).all, "all is well");
  });

  it("stops after one that failed, and says what to type", async () => {
    await configure({ live: { "1.2.1-rc1": 100 }, releases: ["1.2.0", "1.2.1-rc1"] }, "1.2.0", "1.2.1-rc1");
    await stack.up({ expectFailure: true });
    const failed = await monitorOnce(stack);
    assert.equal(failed.exitCode, 1, failed.all);
    assert.match(failed.all, /ALERT: .*The way back failed.*To type: pulumi up --stack test/);
    const before = await unfinished();
    for (let look = 0; look < 2; look += 1) {
      const { exitCode, all } = await monitorOnce(stack);
      assert.equal(exitCode, 1);
      assert.match(all, /ALERT: .*Not gone back: .*in the stack file already.*To type: rollback decide/);
    }
    assert.equal(await unfinished(), before, "no further run was begun");
    assert.deepEqual(await liveInFile(), new Map([["1.2.0", 100]]));
  });

  it("does not take data out of service: it alerts, with the command", async () => {
    await configure({ live: { "1.2.0": 100 } });
    await stack.up();
    await configure({ live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] }, "1.2.1");
    await stack.up({ expectFailure: true });
    const { exitCode, all } = await monitorOnce(stack);
    assert.equal(exitCode, 1);
    assert.match(
      all,
      /ALERT: .*Not gone back: it would take data out of service: meal_planner\..*To type: rollback decide/,
    );
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });
    assert.equal((await askStack(stack, "/health")).release, "1.2.1");
  });
});
