import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

const folder = path.join(import.meta.dirname, "../../../break-glass");
const script = path.join(folder, "rollback.sh");

describe("the break-glass script", function () {
  this.timeout(20_000);
  it("tells its commands, and needs the stack's name for each of them", async () => {
    const { stdout } = await execa(script, ["--help"]);
    for (const command of ["status", "close", "reverse", "start", "switch", "restore", "server", "hand-over"])
      assert.match(stdout, new RegExp(`^ {2}${command}`, "m"));
    const { exitCode, stderr } = await execa(script, ["status"], { reject: false });
    assert.equal(exitCode, 1);
    assert.match(stderr, /--stack PROJECT\/STACK is missing/);
  });

  it("refuses what it does not know", async () => {
    const unknown = await execa(script, ["--stack", "a/b", "destroy"], { reject: false });
    assert.equal(unknown.exitCode, 64);
    const option = await execa(script, ["--stack", "a/b", "--force", "status"], { reject: false });
    assert.match(option.stderr, /unknown option --force/);
  });

  it("is clean by shellcheck, where that is installed", async function () {
    const parts = (await readdir(path.join(folder, "inside"))).filter((name) => name.endsWith(".sh"));
    const inside = parts.map((name) => path.join(folder, "inside", name));
    const check = (args: string[]): Promise<unknown> => execa("shellcheck", args, { cwd: folder });
    try {
      await execa("shellcheck", ["--version"]);
    } catch {
      this.skip();
    }
    await check(["-x", script]);
    await check(["-s", "sh", ...inside]);
  });
});
