import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { runScript } from "../../../operations/verification/script.ts";

describe("a smoke script", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "script-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function script(text: string): Promise<string> {
    const file = path.join(folder, "smoke.sh");
    await writeFile(file, `#!/bin/sh\n${text}\n`);
    await chmod(file, 0o755);
    return file;
  }

  it("is told what it tests, and its last line is shown", async () => {
    const file = await script('echo first; echo "$ROLLBACK_RELEASE is fine"');
    const check = await runScript(
      "app",
      { path: file, timeout: 5_000, image: undefined },
      { ROLLBACK_RELEASE: "1.2.0" },
    );
    assert.match(check.found, /^exit code 0 in \d+ ms: 1\.2\.0 is fine$/);
    assert.deepEqual(check.wrong, []);
  });

  it("fails by its exit code", async () => {
    const check = await runScript(
      "app",
      { path: await script("exit 3"), timeout: 5_000, image: undefined },
      {},
    );
    assert.deepEqual(check.wrong, ["exit code 3"]);
  });

  it("fails when it takes too long", async () => {
    const check = await runScript(
      "app",
      { path: await script("exec sleep 30"), timeout: 100, image: undefined },
      {},
    );
    assert.deepEqual(check.wrong, ["not finished within 100 ms"]);
  });

  it("fails when it is not there", async () => {
    const check = await runScript(
      "app",
      { path: path.join(folder, "none"), timeout: 5_000, image: undefined },
      {},
    );
    assert.deepEqual(check.wrong, ["could not be run to its end (ENOENT)"]);
  });
});
