import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, describe, it } from "mocha";
import { attempt, must } from "../../toolchain/command.ts";
import { CHECKOUT } from "../../toolchain/machine.ts";
import { ensureToolchain, type Toolchain } from "../../toolchain/setup.ts";
import { processes } from "../support/processes.ts";
import { startPulumi, type Ended } from "../support/stack-command.ts";

/** Whatever host for Node programs the set-up has found or made must run the programs of this project. */
describe("the engine with its host for Node programs", function () {
  this.timeout(60_000);
  let toolchain: Toolchain;
  let folder: string;
  let env: Record<string, string>;

  before(async () => {
    toolchain = await ensureToolchain();
    folder = await mkdtemp(path.join(tmpdir(), "rbt-engine-"));
    await mkdir(path.join(folder, "state"));
    await symlink(path.join(CHECKOUT, "node_modules"), path.join(folder, "node_modules"));
    await writeFile(path.join(folder, "package.json"), '{"type":"module","main":"index.ts"}');
    env = {
      ...toolchain.env,
      PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "test",
    };
  });
  after(() => rm(folder, { recursive: true, force: true }));

  beforeEach(async () => {
    const options = "typescript: false\n    nodeargs: --title=rbt --stack-trace-limit=7";
    await writeFile(
      path.join(folder, "Pulumi.yaml"),
      `name: rbt-engine\nruntime:\n  name: nodejs\n  options:\n    ${options}\n`,
    );
    await attempt("pulumi", ["stack", "rm", "--yes", "--force", "dev"], { cwd: folder, env });
    await must("pulumi", ["stack", "init", "dev"], { cwd: folder, env });
  });

  async function up(program: string): Promise<Ended> {
    await writeFile(path.join(folder, "index.ts"), program);
    const running = await startPulumi(["up", "--yes", "--skip-preview"], { cwd: folder, env, events: true });
    return running.ended;
  }

  it("runs TypeScript as Node 24 does, with node's own arguments, and keeps compiled code", async () => {
    const { exitCode, output } = await up(`
      import * as pulumi from "@pulumi/pulumi";
      const version: string = process.versions.node;
      console.log("node", version, process.title, Error.stackTraceLimit, process.env["NODE_COMPILE_CACHE"]);
      export const answer = pulumi.output(42);
    `);
    assert.equal(exitCode, 0, output);
    assert.match(output, /node 2[4-9]\.\S+ rbt 7 \S+/);
    assert.match(output, /answer: 42/);
  });

  it("hands over configuration and knows which of it is secret", async () => {
    await must("pulumi", ["config", "set", "plain", "seen"], { cwd: folder, env });
    await must("pulumi", ["config", "set", "--secret", "hidden", "not-to-be-seen"], { cwd: folder, env });
    const { exitCode, output } = await up(`
      import * as pulumi from "@pulumi/pulumi";
      const config = new pulumi.Config();
      export const plain = config.require("plain");
      export const hidden = config.requireSecret("hidden");
    `);
    assert.equal(exitCode, 0, output);
    assert.match(output, /plain *: "seen"/);
    assert.match(output, /hidden *: \[secret\]/);
    assert.doesNotMatch(output, /not-to-be-seen/);
  });

  it("shows what is wrong with a program once, and fails", async () => {
    const { exitCode, output } = await up(`throw new Error("this program is wrong");`);
    assert.notEqual(exitCode, 0);
    assert.equal(output.split("Error: this program is wrong").length - 1, 1, output);
    assert.doesNotMatch(output, /ended with exit status/);
  });

  it("says so when a program leaves without a word", async () => {
    const { exitCode, output } = await up("process.exit(3);");
    assert.notEqual(exitCode, 0);
    assert.match(output, /exit(ed with non-zero exit code:? | status )3/);
  });

  it("fires a before hook on a Stash, once, and not when nothing has changed", async () => {
    const program = `
      import * as pulumi from "@pulumi/pulumi";
      const hook = new pulumi.ResourceHook("say", () => console.log("the hook ran"));
      new pulumi.Stash("release", { input: "1" }, { hooks: { beforeCreate: [hook], beforeUpdate: [hook] } });
    `;
    const first = await up(program);
    assert.equal(first.exitCode, 0, first.output);
    assert.match(first.output, /the hook ran/);
    const second = await up(program);
    assert.equal(second.exitCode, 0, second.output);
    assert.doesNotMatch(second.output, /the hook ran/);
  });

  it("ends the program, and what that has started, when the engine is killed", async function () {
    // The official host asks its engine only every five minutes.
    if (!toolchain.pulumi.command.includes("engine-built")) this.skip();
    await writeFile(
      path.join(folder, "index.ts"),
      `
      import { spawn } from "node:child_process";
      const child = spawn("sleep", ["600"], { stdio: "ignore" });
      console.log("started", process.pid, child.pid, "at work");
      await new Promise((resolve) => setTimeout(resolve, 600_000));
      `,
    );
    let output = "";
    const running = await startPulumi(["up", "--yes", "--skip-preview"], {
      cwd: folder,
      env,
      onOutput: (text) => {
        output += text;
      },
    });
    const pids = await until(() => /started (\d+) (\d+) at work/.exec(output)?.slice(1).map(Number));
    assert.equal(await alive(pids), 2);
    running.kill("SIGKILL");
    await until(async () => ((await alive(pids)) === 0 ? true : undefined));
    await running.ended;
  });
});

/** How many of these processes run; one that only waits to be reaped has no command line. */
async function alive(pids: readonly number[]): Promise<number> {
  return (await processes()).filter(({ pid, command }) => pids.includes(pid) && command !== "").length;
}

/** What `look` finds within ten seconds. */
async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error("it did not happen within ten seconds");
}
