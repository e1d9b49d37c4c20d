import assert from "node:assert/strict";
import { createServer } from "node:http";
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../../operations/docker/run.ts";
import { liveIn } from "../../../operations/stack-file/live.ts";
import { freePorts } from "../../support/free-ports.ts";
import { monitorOnce, startMonitor } from "../../support/monitor.ts";
import { askStack, assertServes } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("rollback monitor", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  before(async () => {
    stack = await createStack();
    await stack.configure({ live: { "1.2.1": 100 }, releases: ["1.2.1", "1.2.3"] });
    await stack.up();
    await stack.configure({ live: { "1.2.3": 100 }, standby: ["1.2.1"] });
    await stack.up();
  });
  after(() => stack.cleanup());

  it("finds nothing wrong with a release that answers", async () => {
    const { exitCode, all } = await monitorOnce(stack);
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
    const { exitCode, all } = await monitorOnce(stack);
    assert.equal(exitCode, 0, all);
    assert.match(all, /going back to 1\.2\.1: bake 1\.2\.3: .*more than 5 % errors/);
    await assertServes(stack, "1.2.1");
    const file = path.join(stack.folder, "project", `Pulumi.${stack.stack}.yaml`);
    assert.deepEqual(liveIn(await readFile(file, "utf8")), new Map([["1.2.1", 100]]));
  });

  it("leaves it at that", async () => {
    assert.equal((await monitorOnce(stack)).all, "all is well");
  });

  describe("as a service", () => {
    /** What has been posted to the webhook. */
    const posted: { kind: string; message: string }[] = [];
    let refusals = 1;
    const webhook = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        refusals -= 1;
        if (refusals < 0) posted.push(JSON.parse(body) as (typeof posted)[number]);
        response.writeHead(refusals < 0 ? 204 : 503).end();
      });
    });
    const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
      const end = Date.now() + 60_000;
      while (!(await holds())) {
        assert.ok(Date.now() < end, what);
        await sleep(200);
      }
    };
    after(() => {
      webhook.closeAllConnections();
      webhook.close();
    });

    it("outlives looks that fail, tells of it by webhook and command until it arrives, and that it is over", async () => {
      const [port = 0, hook = 0] = await freePorts(2);
      webhook.listen(hook, "127.0.0.1");
      const project = path.join(stack.folder, "project/Pulumi.yaml");
      const [script, handed] = ["alert.sh", "handed"].map((name) => path.join(stack.folder, name));
      assert.ok(script !== undefined && handed !== undefined);
      await writeFile(script, `#!/bin/sh\ncat >> ${handed}\necho >> ${handed}\n`);
      await chmod(script, 0o755);
      const running = startMonitor(
        stack,
        [
          ...["--interval", "1", "--metrics", String(port), "--webhook-env", "HOOK"],
          ...["--alert-command", script],
        ],
        { HOOK: `http://127.0.0.1:${hook}/secret-token` },
      );
      const metrics = async (): Promise<string> => {
        const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
        return (await answer?.text()) ?? "";
      };
      try {
        await until("it looks", async () =>
          /^rollback_weight_percent\{release="1\.2\.1"\} 100$/m.test(await metrics()),
        );
        assert.match(await metrics(), /^rollback_looks_failed 0$/m);
        await rename(project, `${project}.away`);
        await until("it alerts", () => posted.length > 0);
        assert.match(await metrics(), /^rollback_looks_failed [1-9]/m);
        await rename(`${project}.away`, project);
        await until("it says that it is over", () => posted.length > 1);
      } finally {
        running.kill("SIGTERM");
      }
      const { exitCode, all } = await running;
      assert.equal(exitCode, 0, all);
      assert.deepEqual(
        posted.map(({ kind }) => kind),
        ["alert", "well"],
      );
      assert.match(posted[0]?.message ?? "", /Nothing is watched: .*PROJECT_MISSING/);
      assert.match(all, /look failed, 1 in a row/);
      assert.match(all, /could not be delivered: the webhook answered 503/);
      assert.doesNotMatch(all, /secret-token/);
      const lines = (await readFile(handed, "utf8")).trim().split("\n");
      assert.ok(lines.some((line) => (JSON.parse(line) as { kind: string }).kind === "well"));
    });
  });
});
