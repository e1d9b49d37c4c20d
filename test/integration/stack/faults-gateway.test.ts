import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../../operations/docker/run.ts";
import type { ReleaseName } from "../../../examples/meal-planner/catalogue.ts";
import { gateStatus } from "../../../operations/traffic/gate.ts";
import { killAllFromOutside } from "../../support/container-kill.ts";
import { beginUpload } from "../../support/http-client.ts";
import { programOf } from "../../support/program.ts";
import { askStack, assertServes, schemaVersions } from "../../support/stack-checks.ts";
import { changedResources, lineOf, stepOf } from "../../support/stack-events.ts";
import type { Ended, Running } from "../../support/stack-command.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("a run among faults", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  let live: ReleaseName = "1.2.0";
  const other = (): ReleaseName => (live === "1.2.0" ? "1.2.1" : "1.2.0");
  const configure = (release: ReleaseName): Promise<void> =>
    stack.configure({ live: { [release]: 100 }, releases: ["1.2.0", "1.2.1"], gateway: { hold: "20s" } });
  const parts = async (): Promise<string[]> => (await stack.containers()).map(({ name }) => name);

  before(async () => {
    stack = await createStack();
    await configure(live);
    await stack.up();
  });
  after(() => stack.cleanup());

  describe("whose nginx refuses the new routes", () => {
    const script = "/etc/gateway/streams.js";
    const rename = (from: string, to: string): Promise<string> =>
      docker(["exec", "--user", "root", stack.names.router, "mv", from, to]);

    it("answers 503 where the schema has changed already, says so, and the next run finishes", async () => {
      await rename(script, `${script}.away`);
      try {
        await configure(other());
        const { output } = await stack.up({ expectFailure: true });
        assert.match(output, /refused ROUTES_REFUSED: .*new routes: .*emerg.*streams\.js/);
        assert.match(output, /The schema has changed and traffic failed: the gateway answers 503/);
        const { status, retryAfter } = await askStack(stack, "/health");
        assert.deepEqual([status, retryAfter], [503, "5"]);
      } finally {
        await rename(`${script}.away`, script);
      }
      await stack.up();
      live = other();
      await assertServes(stack, live);
    });
  });

  describe("whose program is stopped for longer than its lease", () => {
    /** Stops the program and lets it go on when its lease is over; `meanwhile` is asked in between. */
    const stopped = async (running: Running, meanwhile: () => Promise<void>): Promise<Ended> => {
      const { program } = await programOf(running);
      process.kill(program.pid, "SIGSTOP");
      try {
        await sleep(11_000);
        await meanwhile();
      } finally {
        process.kill(program.pid, "SIGCONT");
      }
      return running.ended;
    };

    it("while it holds requests: they go on to the release that serves, and it changes nothing any more", async () => {
      await configure(other());
      // The drain waits for this one.
      const upload = beginUpload(`${stack.url}/api/logs`, 20_000);
      const running = await stack.startUp();
      await running.waitFor(stepOf("fence"));
      while ((await gateStatus(stack.names.door)).mode !== "hold") await sleep(20);
      const { exitCode, output } = await stopped(running, async () => {
        const { status, release } = await askStack(stack, "/health");
        assert.deepEqual([status, release], [200, live]);
      });
      await upload.finish();
      assert.notEqual(exitCode, 0, output);
      assert.match(output, /refused LEASE_LOST/);
      assert.match(output, /Requests flow again to the release that was serving/);
      assert.equal((await askStack(stack, "/health")).release, live);
      await stack.up();
      live = other();
      await assertServes(stack, live);
    });

    it("when it has closed roles: 503 and never a mix, until it or the next run has gone on", async () => {
      await configure(other());
      const running = await stack.startUp();
      await running.waitFor(lineOf("fence", /closed in the database/));
      const { exitCode, output } = await stopped(running, async () => {
        const { status, retryAfter } = await askStack(stack, "/health");
        assert.deepEqual([status, retryAfter], [503, "5"]);
      });
      if (exitCode !== 0) {
        assert.match(output, /refused [A-Z_]+:/);
        await stack.up();
      }
      live = other();
      await assertServes(stack, live);
    });
  });

  describe("whose containers all end at one stroke, as with Docker itself", () => {
    it("between two runs: all are there again, and there is nothing to do", async () => {
      await killAllFromOutside(await parts());
      const until = Date.now() + 30_000;
      while ((await askStack(stack, "/api/logs").catch(() => undefined))?.status !== 200) {
        assert.ok(Date.now() < until, "it does not serve again");
        await sleep(200);
      }
      assert.deepEqual(changedResources((await stack.up()).events), {});
      await assertServes(stack, live);
    });

    it("while requests are held: the run says why it failed, and the next one finishes", async () => {
      await configure(other());
      const running = await stack.startUp();
      await running.waitFor(lineOf("fence", /closed in the database/));
      await killAllFromOutside(await parts());
      const { exitCode, output } = await running.ended;
      if (exitCode !== 0) {
        assert.match(output, /refused [A-Z_]+:/);
        const versions = await schemaVersions(stack).catch(() => undefined);
        const { status } = await askStack(stack, "/health").catch(() => ({ status: 0 }));
        // Nobody is let in to a release on the wrong schema.
        assert.ok(status === 503 || status === 0 || versions !== undefined, String(status));
        await stack.up();
      }
      live = other();
      await assertServes(stack, live);
    });
  });
});
