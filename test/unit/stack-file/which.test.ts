import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { configFileIn, stackFileOf } from "../../../operations/stack-file/which.ts";

describe("the stack file that the engine reads", () => {
  let folder = "";
  before(async () => {
    folder = await realpath(await mkdtemp(path.join(tmpdir(), "which-")));
    await writeFile(path.join(folder, "Pulumi.yaml"), "name: meals\nruntime: nodejs\n");
    await symlink("/bin/sh", path.join(folder, "pulumi"));
  });
  after(() => rm(folder, { recursive: true }));

  it("is what the command line names, in either spelling", () => {
    assert.equal(configFileIn(["pulumi", "up", "--config-file", "a.yaml"]), "a.yaml");
    assert.equal(configFileIn(["pulumi", "up", "--config-file=b=c.yaml", "--yes"]), "b=c.yaml");
    assert.equal(configFileIn(["pulumi", "up", "--yes"]), undefined);
    assert.equal(configFileIn(["pulumi", "up", "--config-file"]), undefined);
  });

  /** The answer for a program below a process that calls itself pulumi. */
  async function below(words: readonly string[]): Promise<string> {
    const engine = spawn(path.join(folder, "pulumi"), ["-c", "sleep 30 & echo $!; wait", ...words], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      const [said] = (await once(engine.stdout, "data")) as [Buffer];
      const program = Number(said.toString());
      const file = await stackFileOf(folder, "prod", program);
      process.kill(program);
      return file;
    } finally {
      engine.kill();
    }
  }

  it("is found in the command line of the engine above the program, relative to where that is", async () => {
    assert.equal(await below(["up", "--config-file", "night.yaml"]), path.join(folder, "night.yaml"));
  });

  it("is the project's own without one, wherever the project keeps those", async () => {
    assert.equal(await below(["up"]), path.join(folder, "Pulumi.prod.yaml"));
    await writeFile(
      path.join(folder, "Pulumi.yaml"),
      "name: meals\nruntime: nodejs\nstackConfigDir: stacks\n",
    );
    assert.equal(await below(["up"]), path.join(folder, "stacks/Pulumi.prod.yaml"));
  });
});
