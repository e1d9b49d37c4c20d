import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { docker } from "../../../operations/docker/run.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { monitorOnce } from "../../support/monitor.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

describe("later writes with every change on record, and a record that was given up", function () {
  this.timeout(400_000);
  let stack: ScratchStack;
  let volume: string;

  const configure = (live: "1.2.0" | "1.2.1", dataVolume?: string, recovery?: object): Promise<void> =>
    stack.configure(
      {
        ...{ safety: { bake: "0s", onDifference: "warn" }, redis: false },
        ...{ live: { [live]: 100 }, releases: ["1.2.0", "1.2.1"] },
      },
      (config: Config) => {
        const cluster = config["rollback:cluster"] as Record<string, unknown>;
        const backup = { ...(cluster["backup"] as object), schedule: "0 3 1 1 *", changes: "64MB" };
        const place = dataVolume === undefined ? {} : { volume: dataVolume };
        return {
          ...config,
          "rollback:cluster": { ...cluster, backup, ...place },
          ...(recovery === undefined ? {} : { "rollback:recovery": recovery }),
        };
      },
    );
  const sql = (text: string): Promise<Record<string, unknown>[]> => stack.query("meal_planner", text);
  const slots = async (): Promise<string[]> =>
    (
      await stack.query("postgres", "select database, wal_status from pg_replication_slots order by 1, 2")
    ).map(({ database, wal_status: status }) => `${String(database)} ${String(status)}`);
  const rollback = async (...args: string[]): Promise<string> => {
    const command = path.join(import.meta.dirname, "../../../cli/rollback.mjs");
    const { stdout } = await execa(process.execPath, [command, ...args, "--stack", stack.stack], {
      cwd: path.join(stack.folder, "project"),
      env: stack.env,
    });
    return stdout;
  };
  const versionsOf = async (...more: string[]): Promise<unknown[]> => {
    const printed = await rollback("salvage", "show", "meal_planner", "--changes", "--json", ...more);
    return z
      .array(z.object({ change: z.string(), row: z.object({ calories: z.number() }).optional() }))
      .parse(JSON.parse(printed))
      .map(({ change, row }) => [change, row?.calories]);
  };

  before(async () => {
    stack = await createStack();
    volume = `${stack.volumes.data}-2`;
  });
  after(async () => {
    await stack.cleanup();
    await docker(["volume", "rm", "-f", volume]);
  });

  it("begins with the first `up`, and anew with each release; nothing is to do afterwards", async () => {
    await configure("1.2.0");
    const { output } = await stack.up();
    assert.match(output, /every change of meal_planner is on record from here on/);
    assert.deepEqual(await slots(), ["meal_planner reserved", "mealie reserved"]);
    await stack.up({ args: ["--expect-no-changes"] });
    await configure("1.2.1");
    await stack.up();
    assert.equal((await slots()).length, 4, "those of the release before are kept");
    await stack.up({ args: ["--expect-no-changes"] });
  });

  it("keeps each change that a recovery leaves out, of a table that is gone as well", async () => {
    await sql("insert into meals (name, slot, calories) values ('later', 'lunch', 1)");
    await sql("update meals set calories = 2 where name = 'later'");
    await sql("update meals set calories = 3 where name = 'later'");
    await sql("create table snacks (id int primary key, name text)");
    await sql("insert into snacks values (1, 'apple'), (2, 'pear')");
    await sql("drop table snacks");
    await configure("1.2.0", volume, {
      ...{ volume, from: stack.volumes.data, target: { before: "1.2.1" }, laterWrites: "keep" },
    });
    const { output } = await stack.up();
    assert.match(output, /\d+ changes of meal_planner are kept one by one in meal_planner\.changes\.jsonl/);
    assert.doesNotMatch(output, /WARNING: (they are|the changes)/);
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await versionsOf("--table", "meals"), [
      ["insert", 1],
      ["update", 2],
      ["update", 3],
    ]);
    const snacks = await rollback("salvage", "show", "meal_planner", "--table", "snacks");
    assert.deepEqual(snacks.split("\n"), [
      '+ public.snacks {"id":1,"name":"apple"}',
      '+ public.snacks {"id":2,"name":"pear"}',
    ]);
    const replayed = await rollback("salvage", "replay", "meal_planner", "--table", "meals");
    assert.match(replayed, /public\.meals: 1 inserted, 0 updated, 0 deleted/);
    assert.deepEqual(await sql("select name, calories from meals"), [{ name: "later", calories: 3 }]);
    assert.deepEqual(
      await slots(),
      ["meal_planner reserved", "mealie reserved"],
      "the new volume has its own",
    );
    await stack.up({ args: ["--expect-no-changes"] });
  });

  it("notices on the next `up` that a record was given up, and begins it anew", async () => {
    await sql("update meals set calories = 4 where name = 'later'");
    await sql("insert into meals (name, slot, calories) values ('before the flood', 'lunch', 1)");
    for (let n = 0; n < 6; n += 1) {
      await sql(
        "select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 17)",
      );
      await sql("select pg_switch_wal()");
    }
    await sql("checkpoint");
    assert.deepEqual(await slots(), ["meal_planner lost", "mealie lost"]);
    assert.match(await rollback("status"), /changes of meal_planner: given up/);
    const { exitCode, all } = await monitorOnce(stack);
    assert.equal(exitCode, 1);
    assert.match(all, /changes of meal_planner were given up: .*Nothing of the data is lost/);
    const { output } = await stack.up();
    assert.match(
      output,
      /WARNING: changes of meal_planner were given up: more than \S+ \(64MB\) of WAL was written/,
    );
    assert.match(output, /every change of meal_planner is on record from here on/);
    assert.deepEqual(await slots(), ["meal_planner reserved", "mealie reserved"]);
    await stack.up({ args: ["--expect-no-changes"] });
  });

  it("loses no row for it: those of before are kept as they stand, the changes since one by one", async () => {
    await sql("update meals set calories = 5 where name = 'later'");
    await sql("update meals set calories = 6 where name = 'later'");
    await configure("1.2.1", undefined, {
      ...{ volume, from: stack.volumes.data, target: { before: "1.2.1" }, laterWrites: "keep" },
    });
    const { output } = await stack.up();
    assert.match(
      output,
      /WARNING: they are those of \d+ of \d+ transactions; of the earlier ones rows are kept/,
    );
    await assertServes(stack, "1.2.1");
    assert.deepEqual(await versionsOf("--table", "meals"), [
      ["update", 5],
      ["update", 6],
    ]);
    const rows = await rollback("salvage", "show", "meal_planner", "--table", "meals");
    assert.match(rows, /"name":\s?"before the flood"/);
    assert.match(rows, /"calories":6/);
    // And the volume that was gone back to has a record; of the release before, as far as no more WAL was written.
    const there = await slots();
    // Each minute with a write counts as a segment, so that on a slow machine it may be about to be given up.
    for (const each of ["meal_planner", "mealie"])
      assert.ok(
        there.some((slot) => slot.startsWith(`${each} `) && !slot.endsWith(" lost")),
        `${each}: ${there.join()}`,
      );
  });

  it("ends when it is not configured any more: nothing holds WAL back then", async () => {
    await stack.configure(
      {
        safety: { bake: "0s", onDifference: "warn" },
        redis: false,
        live: { "1.2.1": 100 },
        releases: ["1.2.1"],
      },
      (config: Config) => {
        const cluster = config["rollback:cluster"] as Record<string, unknown>;
        const backup = { ...(cluster["backup"] as object), schedule: "0 3 1 1 *" };
        return { ...config, "rollback:cluster": { ...cluster, backup } };
      },
    );
    await stack.up();
    assert.deepEqual(await slots(), []);
    const [setting] = await stack.query("postgres", "show max_slot_wal_keep_size");
    assert.deepEqual(setting, { max_slot_wal_keep_size: "-1" });
    await stack.up({ args: ["--expect-no-changes"] });
  });
});
