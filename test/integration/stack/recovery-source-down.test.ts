import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { docker } from "../../../operations/docker/run.ts";
import { dataFolder } from "../../../settings/archive.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

describe("a recovery from a server that does not start any more", function () {
  this.timeout(300_000);
  let stack: ScratchStack;
  let volume: string;

  const configure = (more: object = {}, recovery?: object): Promise<void> =>
    stack.configure(
      { safety: { bake: "0s" }, redis: false, live: { "1.2.0": 100 }, releases: ["1.2.0"] },
      (config: Config) => {
        const cluster = config["rollback:cluster"] as Record<string, unknown>;
        const backup = { ...(cluster["backup"] as object), schedule: "0 3 * * *" };
        return {
          ...config,
          "rollback:cluster": { ...cluster, backup, ...more },
          ...(recovery === undefined ? {} : { "rollback:recovery": recovery }),
        };
      },
    );
  const recover = (laterWrites: "keep" | "drop"): Promise<void> =>
    configure({ volume }, { volume, from: stack.volumes.data, target: { before: "1.2.0" }, laterWrites });

  const write = (name: string): Promise<unknown> =>
    stack.query("meal_planner", "insert into meals (name, slot, calories) values ($1, 'lunch', 1)", [name]);
  const names = async (): Promise<unknown[]> =>
    (await stack.query("meal_planner", "select name from meals order by name")).map(({ name }) => name);
  const rollback = (...args: string[]): Promise<{ exitCode?: number | undefined; all: string }> =>
    execa(
      process.execPath,
      [
        path.join(import.meta.dirname, "../../../cli/rollback.mjs"),
        ...["recover", "rebuild", ...args, "--stack", stack.stack],
      ],
      { cwd: path.join(stack.folder, "project"), env: stack.env, reject: false, all: true },
    );

  before(async () => {
    stack = await createStack();
    volume = `${stack.volumes.data}-2`;
    await configure();
    await stack.up();
    await write("kept");
    await stack.query("postgres", "select pg_create_restore_point('before-the-last')");
    await write("last");
    const control = `${dataFolder}/global/pg_control`;
    await docker(["exec", stack.names.postgres, "mv", control, `${control}.gone`]);
    await docker(["kill", stack.names.postgres]);
  });
  after(async () => {
    await stack.cleanup();
    await docker(["volume", "rm", "-f", volume, `${volume}b`]);
  });

  it("is refused in place of putting an empty cluster there, and says so in a preview", async () => {
    await recover("keep");
    const { output } = await stack.preview();
    assert.match(output, /does not run: `pulumi up` starts it on \S+ and plans the way to \S+-2 then/);
    const refused = await stack.up({ expectFailure: true });
    assert.match(refused.output, /refused SOURCE_DOWN: the server does not start on/);
    const volumes = await docker(["volume", "ls", "-q", "--filter", `name=${volume}`]);
    assert.equal(volumes, "", "no new volume was made");
  });

  it("is refused with writes to drop as well, as long as there is nothing on the other volume", async () => {
    await recover("drop");
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused SOURCE_DOWN/);
  });

  it("is put together again by the command that the refusal names, once it is stopped, and serves up to the last commit", async () => {
    const runs = await rollback("--into", volume);
    assert.match(runs.all, /refused SOURCE_RUNS/);
    await docker(["stop", stack.names.postgres]);
    const told = await rollback("--into", volume);
    assert.equal(told.exitCode, 0, told.all);
    assert.match(
      told.all,
      /has everything up to 0\/\w+ \(\S+F, the last transaction of 20\S+ \S+\+00\), on timeline 2/,
    );
    await configure({ volume });
    const { output } = await stack.preview();
    assert.doesNotMatch(output, /refused/);
    await stack.up();
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await names(), ["kept", "last"]);
    await stack.up({ args: ["--expect-no-changes"] });
  });

  it("goes further back from there as from any other, with what was written later kept", async () => {
    const target = { restorePoint: "before-the-last" };
    const recovery = { volume: `${volume}b`, from: volume, target, laterWrites: "keep" };
    await configure({ volume: `${volume}b` }, recovery);
    const { output } = await stack.up();
    assert.match(output, /kept [12] rows that were written later/);
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await names(), ["kept"]);
  });
});
