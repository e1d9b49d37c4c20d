import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { docker } from "../../operations/docker/run.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";
import { runScript } from "../../operations/verification/script.ts";
import { startGatewayOfTwo, type TestGateway, type TestUpstream } from "../support/gateway.ts";

describe("a smoke script in a container on the stack's network", function () {
  this.timeout(60_000);
  let gateway: TestGateway;
  let old: TestUpstream;
  let folder = "";

  before(async function () {
    this.timeout(600_000);
    folder = await mkdtemp(path.join(tmpdir(), "rollback-smoke-"));
    ({ gateway, old } = await startGatewayOfTwo());
  });
  after(async () => {
    await gateway.remove();
    await rm(folder, { recursive: true });
  });

  async function check(text: string, timeout = 20_000, image = gatewayImage) {
    const file = path.join(folder, "smoke.sh");
    await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return runScript(
      "app",
      { path: file, timeout, image },
      {
        ROLLBACK_RELEASE: "1.2.0",
        // By name: only on that network it means something.
        ROLLBACK_URL: `http://${old.container}:${old.port}`,
        ROLLBACK_NETWORK: gateway.prefix,
      },
    );
  }
  const left = () =>
    docker(["ps", "-aq", "--filter", `network=${gateway.prefix}`, "--filter", "status=exited"]);

  it("reaches the container it tests with what its image has, and leaves nothing behind", async () => {
    const { found, wrong } = await check(
      'curl -sSf "$ROLLBACK_URL/health"; echo; echo "$ROLLBACK_RELEASE is fine"',
    );
    assert.match(found, /^exit code 0 in \d+ ms: 1\.2\.0 is fine$/);
    assert.deepEqual(wrong, []);
    assert.equal(await left(), "");
  });

  it("fails by its exit code, and when it takes too long", async () => {
    assert.deepEqual((await check("exit 3")).wrong, ["exit code 3"]);
    assert.deepEqual((await check("exec sleep 30", 3_000)).wrong, ["not finished within 3000 ms"]);
    assert.equal(await left(), "");
  });

  it("fails when its image is not to be had", async () => {
    const { wrong } = await check("true", 20_000, "localhost:1/rollback-none:1");
    assert.match(wrong.join(), /could not be run in localhost:1\/rollback-none:1/);
  });
});
