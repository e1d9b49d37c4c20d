import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { assertServes, schemaVersions } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

const command = path.join(import.meta.dirname, "../../../cli/rollback.mjs");
const quick = { safety: { bake: "0s" }, redis: false } as const;

describe("rollback reset", function () {
  this.timeout(240_000);
  let stack: ScratchStack;
  const reset = async (...args: string[]): Promise<{ exitCode: number | undefined; all: string }> => {
    const all = [command, "reset", "meal_planner", ...args, "--stack", stack.stack];
    const cwd = path.join(stack.folder, "project");
    const done = await execa(process.execPath, all, { cwd, env: stack.env, all: true, reject: false });
    return { exitCode: done.exitCode, all: done.all };
  };
  const databases = async (): Promise<unknown[]> =>
    (
      await stack.query(
        "postgres",
        "select datname from pg_database where datname like 'meal_planner%' order by 1",
      )
    ).map(({ datname }) => datname);
  const meals = async (database: string): Promise<unknown[]> =>
    (await stack.query(database, "select name from meals order by name")).map(({ name }) => name);
  const write = (name: string): Promise<unknown> =>
    stack.query("meal_planner", "insert into meals (name, slot, calories) values ($1, 'lunch', 100)", [name]);

  before(async () => {
    stack = await createStack();
    await stack.configure({ ...quick, live: { "1.2.0": 100 }, releases: ["1.2.0", "1.2.1"] });
    await stack.up();
    await write("in the dump");
    // Dumps before it migrates.
    await stack.configure({ ...quick, live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] });
    await stack.up();
    await write("spoilt");
  });
  after(() => stack.cleanup());

  it("does nothing unless the database's name is given", async () => {
    const { exitCode, all } = await reset();
    assert.equal(exitCode, 1);
    assert.match(all, /refused RESET_UNCONFIRMED/);
    assert.deepEqual(await databases(), ["meal_planner"]);
  });

  it("leaves the database in use as it is when it cannot go on, and begins anew after that", async () => {
    await stack.query("postgres", "create database meal_planner_reset");
    const { all } = await reset("--confirm", "meal_planner");
    assert.match(all, /refused RESET_IMPOSSIBLE: a database meal_planner_reset exists/);
    assert.deepEqual(await meals("meal_planner"), ["in the dump", "spoilt"]);
    // As a call leaves it that was killed: half made, and the database in use closed.
    await stack.query(
      "postgres",
      "comment on database meal_planner_reset is 'made by rollback reset, not in use yet'",
    );
    await stack.query("postgres", "alter database meal_planner connection limit 0");
  });

  it("makes it anew from migrations and the dump, keeps the old one, and the next up finds nothing to do", async () => {
    const { exitCode, all } = await reset("--confirm", "meal_planner", "--json");
    assert.equal(exitCode, 0, all);
    const [name, kept] = await databases();
    assert.equal(name, "meal_planner");
    assert.deepEqual(
      [await meals("meal_planner"), await meals(z.string().parse(kept))],
      [["in the dump"], ["in the dump", "spoilt"]],
    );
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });
    await assertServes(stack, "1.2.1");
    await stack.up({ args: ["--expect-no-changes"] });
    await stack.up({ args: ["--refresh", "--expect-no-changes"] });
  });
});
