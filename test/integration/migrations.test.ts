import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seedMealPlanner, sizeTimes } from "../../examples/meal-planner/seed.ts";
import { close } from "../../operations/database/connection.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { CarryOutOptions, SchemaResult } from "../../operations/migrations/carry-out.ts";
import { currentVersions } from "../../operations/migrations/observe.ts";
import { observer } from "../../operations/migrations/observer.ts";
import { planSchemaChange } from "../../operations/migrations/schema-plan.ts";
import { recoverPrepared } from "../../operations/migrations/two-phase.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt } from "../support/migrations.ts";

const meals = {
  "001_meals.sql": "CREATE TABLE meals (id serial PRIMARY KEY, name text NOT NULL);",
  "rollback/001_meals.sql": "DROP TABLE meals;",
  "002_calories.sql":
    "BEGIN;\nALTER TABLE meals ADD COLUMN calories int;\nCREATE INDEX meals_calories ON meals (calories);\nCOMMIT;\n",
  "rollback/002_undo.sql": "ALTER TABLE meals DROP COLUMN calories;",
  "003_logs.sql":
    "CREATE TABLE logs (id int PRIMARY KEY, meal int REFERENCES meals (id) ON DELETE CASCADE, eaten timestamptz DEFAULT now());",
  "rollback/003_undo.sql": "DROP TABLE logs;",
};

describe("changing schemas on a real server", function () {
  this.timeout(120_000);
  const tests = migrationTests({ files: meals });

  function bring(to: Record<string, string>, options: CarryOutOptions = {}): Promise<SchemaResult> {
    const request = {
      databases: Object.keys(to).map((name) => databaseAt(name, tests.folder.path)),
      wanted: new Map(Object.entries(to)),
      release: "1.0",
    };
    return changeSchema(request, tests.databases.open, options);
  }
  async function head(database = "app"): Promise<string | undefined> {
    const seen = await currentVersions(tests.databases.open, [databaseAt(database, tests.folder.path)]);
    return seen.get(database)?.head;
  }
  async function count(table: string, database = "app"): Promise<number> {
    const [row] = await tests.databases.sql(database, `SELECT count(*)::int AS n FROM ${table}`);
    assert.ok(typeof row?.["n"] === "number");
    return row["n"];
  }
  it("makes the tracking table before the first migration, which may speak of it as it does of any other", async () => {
    await tests.folder.write({
      "001_meals.sql": "CREATE TABLE meals AS SELECT count(*) AS applied FROM schema_migrations;",
    });
    await bring({ app: "1" });
    assert.equal(await count("meals WHERE applied = 0"), 1);
    await bring({ app: "0" });
    assert.equal(await head(), undefined);
  });
  it("applies forward, records what takes it back, and finds nothing to do the second time", async () => {
    const result = await bring({ app: "3" });
    assert.equal(result.steps, 3);
    assert.equal(await head(), "3");
    const rows = await tests.databases.sql(
      "app",
      "SELECT version, down, release, applied_by, state, fingerprint_before <> fingerprint_after AS moved FROM rollback.migration ORDER BY id",
    );
    assert.deepEqual(rows[1], {
      version: "2",
      down: "ALTER TABLE meals DROP COLUMN calories;",
      release: "1.0",
      applied_by: "rollback_operator",
      state: "applied",
      moved: true,
    });
    const owner = await tests.databases.sql(
      "app",
      "SELECT tableowner FROM pg_tables WHERE tablename IN ('meals', 'schema_migrations')",
    );
    assert.deepEqual(owner, [{ tableowner: "app_owner" }, { tableowner: "app_owner" }]);
    const again = await bring({ app: "3" });
    assert.deepEqual([again.steps, again.tries, again.changed], [0, 0, []]);
  });

  it("reverses with the stored SQL, although the files are gone or edited since", async () => {
    await bring({ app: "3" });
    await tests.databases.sql(
      "app",
      "INSERT INTO meals (name, calories) VALUES ('soup', 120), ('bread', 250)",
    );
    await tests.folder.write({
      "003_logs.sql": undefined,
      "rollback/003_undo.sql": undefined,
      "rollback/002_undo.sql": "SELECT nonsense",
    });
    const result = await bring({ app: "1" });
    assert.equal(result.steps, 2);
    assert.equal(await head(), "1");
    assert.deepEqual(
      result.archived.map(({ source, how, rows }) => ({ source, how, rows })),
      [{ source: "public.meals", how: "drop", rows: 2 }],
    );
    const kept = await tests.databases.sql(
      "app",
      `SELECT id, calories FROM rollback.${result.archived[0]?.name ?? ""} ORDER BY id`,
    );
    assert.deepEqual(kept, [
      { id: 1, calories: 120 },
      { id: 2, calories: 250 },
    ]);
  });

  it("changes nothing when a step in the middle of a reversal fails, and names it", async () => {
    await tests.folder.write({
      "rollback/002_undo.sql": "ALTER TABLE meals DROP COLUMN calories; SELECT 1/0;",
    });
    await bring({ app: "3" });
    await assert.rejects(bring({ app: "0" }), (error) => {
      assert.ok(isRefusal(error, "SCHEMA_STEP_FAILED"));
      assert.match(error.message, /app 2 \(down\) calories failed: division by zero/);
      return true;
    });
    assert.equal(await head(), "3");
    assert.equal(await count("logs"), 0);
    assert.equal(await count("rollback.migration WHERE state = 'applied'"), 3);
    assert.equal(await count("rollback.archive"), 0);
  });

  it("goes all the way down and up again", async () => {
    await bring({ app: "3" });
    await bring({ app: "0" });
    assert.equal(await head(), undefined);
    assert.equal(await count("pg_class WHERE relname IN ('meals', 'logs')"), 0);
    await bring({ app: "3" });
    assert.equal(await head(), "3");
    assert.equal(await count("rollback.migration"), 6);
  });

  it("takes over what another tool applied, and can take it back", async () => {
    await tests.databases.sql(
      "app",
      `SET ROLE app_owner; CREATE TABLE schema_migrations (version int PRIMARY KEY, success boolean NOT NULL, installed_on timestamptz DEFAULT now());
       ${meals["001_meals.sql"]} INSERT INTO schema_migrations VALUES (1, true)`,
    );
    const result = await bring({ app: "1" });
    assert.deepEqual([result.steps, result.changed], [0, ["app"]]);
    assert.equal(await count("rollback.migration WHERE down = 'DROP TABLE meals;'"), 1);
    await tests.folder.write({ "001_meals.sql": undefined, "rollback/001_meals.sql": undefined });
    await bring({ app: "0" });
    assert.equal(await count("pg_class WHERE relname = 'meals'"), 0);
  });

  it("refuses a schema that was changed by hand, and says what differs", async () => {
    await bring({ app: "3" });
    await tests.databases.sql("app", "ALTER TABLE meals ADD COLUMN by_hand int");
    await assert.rejects(bring({ app: "2" }), /SCHEMA_DRIFT.*\n.*left over: column public\.meals\.by_hand/s);
    assert.equal(await head(), "3");
  });

  it("rolls back when a reversal leaves another schema than before, and says what differs", async () => {
    await tests.folder.write({ "rollback/002_undo.sql": "DROP INDEX meals_calories;" });
    await bring({ app: "3" });
    await assert.rejects(
      bring({ app: "1" }),
      /SCHEMA_NOT_RESTORED.*\n.*left over: column public\.meals\.calories/s,
    );
    assert.equal(await head(), "3");
    const warnings: string[] = [];
    await bring({ app: "1" }, { onDifference: "warn", warn: (text) => warnings.push(text) });
    assert.deepEqual(warnings, ["app: left over: column public.meals.calories"]);
    assert.equal(await head(), "1");
  });

  it("does not ask again about what an earlier reversal left", async () => {
    await tests.folder.write({
      "004_extra.sql": "CREATE TABLE extra (id int); CREATE SEQUENCE left_over;",
      "rollback/004_extra.sql": "DROP TABLE extra;",
    });
    await bring({ app: "4" });
    await bring({ app: "3" }, { onDifference: "warn" });
    await bring({ app: "2" });
    assert.equal(await head(), "2");
  });

  it("does not mind other lines and indentation in a function", async () => {
    const touch = (body: string) =>
      `CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$${body}$$;`;
    await tests.folder.write({
      "004_touch.sql": touch("\n  BEGIN\n    RETURN NEW;\n  END\n"),
      "rollback/004_touch.sql": "DROP FUNCTION touch();",
      "005_touch.sql": touch("BEGIN RETURN NULL; END"),
      "rollback/005_touch.sql": touch("BEGIN\nRETURN NEW;\nEND"),
    });
    await bring({ app: "5" });
    await bring({ app: "4" });
    await bring({ app: "3" });
    assert.equal(await head(), "3");
  });

  it("does not mind another order of columns", async () => {
    await tests.folder.write({
      "004_drop.sql": "ALTER TABLE meals DROP COLUMN name;",
      "rollback/004_drop.sql":
        "ALTER TABLE meals ADD COLUMN name text NOT NULL DEFAULT ''; ALTER TABLE meals ALTER name DROP DEFAULT;",
    });
    await bring({ app: "4" });
    await bring({ app: "3" });
    assert.equal(await head(), "3");
  });

  it("keeps rows that a reversal deletes or updates, also through foreign keys", async () => {
    await tests.folder.write({
      "004_seed.sql": "INSERT INTO meals (id, name, calories) VALUES (100, 'cake', 400);",
      "rollback/004_seed.sql":
        "UPDATE meals SET calories = 0 WHERE id = 1; DELETE FROM meals WHERE id = 100;",
    });
    await bring({ app: "4" });
    await tests.databases.sql(
      "app",
      "INSERT INTO meals (name, calories) VALUES ('soup', 120), ('bread', 250); INSERT INTO logs VALUES (7, 100), (8, 1)",
    );
    const { archived } = await bring({ app: "3" });
    const kept = await Promise.all(
      archived.map(async ({ name, source, how }) => {
        const rows = await tests.databases.sql("app", `SELECT id FROM rollback.${name}`);
        return `${how} ${source} ${rows.map((row) => String(row["id"])).join()}`;
      }),
    );
    assert.deepEqual(kept.sort(), [
      "delete public.logs 7",
      "delete public.meals 100",
      "update public.meals 1",
    ]);
    assert.equal(await count("pg_trigger WHERE tgname LIKE '~rollback%'"), 0);
  });

  it("leaves the ledger out of the application's reach, and its events unchangeable", async () => {
    await bring({ app: "1" });
    await assert.rejects(
      tests.databases.sql("app", "SET ROLE app_owner; UPDATE rollback.migration SET down = 'x'"),
      /permission denied/,
    );
    await assert.rejects(tests.databases.sql("app", "DELETE FROM rollback.event"), /append-only/);
    const chain = await tests.databases.sql(
      "app",
      "SELECT bool_and(hash = rollback.event_hash(e)) AS whole, count(*)::int AS n FROM rollback.event e",
    );
    assert.deepEqual(chain, [{ whole: true, n: 1 }]);
  });

  describe("beside others", () => {
    it("waits for another run, then refuses with who it is", async () => {
      const holder = await tests.databases.open("app");
      try {
        await holder.query("SELECT pg_advisory_lock(hashtext('rollback'), hashtext('schema'))");
        await assert.rejects(
          bring({ app: "3" }, { busyMs: 200 }),
          /SCHEMA_BUSY: another run is changing the schema of app \(pid \d+, rollback test/,
        );
      } finally {
        await close(holder);
      }
      await bring({ app: "3" });
    });

    it("lets one of two runs at once do the work and the other find nothing or a moved schema", async () => {
      const outcomes = await Promise.allSettled([bring({ app: "3" }), bring({ app: "3" })]);
      const steps = outcomes.map((outcome) =>
        outcome.status === "fulfilled" ? outcome.value.steps : refusalCode(outcome.reason),
      );
      assert.ok(steps.includes(3));
      assert.ok(steps.includes(0) || steps.includes("SCHEMA_MOVED"), String(steps));
      assert.equal(await head(), "3");
    });

    it("tries again while a reader holds a table, and gets through when it goes", async () => {
      await bring({ app: "3" });
      const reader = await tests.databases.admin("app");
      try {
        await reader.query("BEGIN; SELECT * FROM meals");
        const released = sleep(700).then(() => reader.query("COMMIT"));
        const result = await bring({ app: "1" }, { budgetMs: 10_000 });
        await released;
        assert.ok(result.tries > 1);
      } finally {
        await close(reader);
      }
      assert.equal(await head(), "1");
    });

    it("gives up after its budget, naming the session that holds the table; nobody queued behind it for long", async () => {
      await bring({ app: "3" });
      const reader = await tests.databases.admin("app", { applicationName: "slow report" });
      const innocent = await tests.databases.admin("app");
      let longest = 0;
      try {
        await reader.query("BEGIN; SELECT * FROM meals");
        const attempt = bring({ app: "1" }, { budgetMs: 1500, lockTimeoutMs: 100 });
        const ended = attempt.then(
          () => true,
          () => true,
        );
        while (!(await Promise.race([ended, sleep(5, false)]))) {
          const began = performance.now();
          await innocent.query("SELECT count(*) FROM meals");
          longest = Math.max(longest, performance.now() - began);
        }
        await assert.rejects(
          attempt,
          /SCHEMA_LOCKED.*pid \d+ \(postgres, slow report\) on app\.(public\.)?meals/s,
        );
      } finally {
        await close(reader);
        await close(innocent);
      }
      assert.ok(longest < 250, `an innocent query waited ${longest} ms`);
      assert.equal(await head(), "3");
    });

    it("leaves everything as it was when its connection is cut in the middle", async () => {
      await tests.folder.write({
        "rollback/002_undo.sql": "ALTER TABLE meals DROP COLUMN calories; SELECT pg_sleep(30);",
      });
      await bring({ app: "3" });
      const attempt = bring({ app: "1" });
      const ended = assert.rejects(attempt, /SCHEMA_CONNECTION_LOST/);
      await until(() =>
        count("pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"),
      );
      await tests.databases.sql(
        "app",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rollback_operator'",
      );
      await ended;
      assert.equal(await head(), "3");
      assert.equal(
        await count("pg_attribute WHERE attname = 'calories' AND attrelid = 'meals'::regclass"),
        1,
      );
    });

    it("ends the running statement when it is told to stop", async () => {
      await tests.folder.write({ "002_calories.sql": "SELECT pg_sleep(30);" });
      const abort = new AbortController();
      const attempt = bring({ app: "2" }, { signal: abort.signal });
      const ended = assert.rejects(attempt, /stopped by the test/);
      await until(() =>
        count("pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"),
      );
      abort.abort(new Error("stopped by the test"));
      await ended;
      assert.equal(await head(), undefined);
    });
  });

  describe("with the Meal Planner's own migrations", () => {
    const example = databaseAt(
      "meal_planner",
      join(import.meta.dirname, "../../examples/meal-planner/migrations/meal_planner"),
    );
    beforeEach(async () => {
      await tests.databases.create("meal_planner");
      await tests.databases.sql("meal_planner", "CREATE EXTENSION pg_trgm");
    });
    const to = (version: string): Promise<SchemaResult> =>
      changeSchema(
        { databases: [example], wanted: new Map([["meal_planner", version]]), release: "1.2.1" },
        tests.databases.open,
      );
    /** Every value of the column that 023 adds, as text, by key. */
    const plans = (from: string) =>
      tests.databases.sql("meal_planner", `SELECT id, recipe_json::text FROM ${from} ORDER BY id`);

    it("archives exactly what 023 held, row by row, and goes back to 020 in one transaction", async () => {
      await to("23");
      const client = await tests.databases.admin("meal_planner");
      try {
        await seedMealPlanner(client, sizeTimes(0.05));
        await client.query(
          "UPDATE auto_meal_plans SET recipe_json = jsonb_build_object('plan', id, 'big', 1e30)",
        );
      } finally {
        await close(client);
      }
      const before = await plans("auto_meal_plans");
      assert.ok(before.length > 900);
      const result = await to("20");
      assert.deepEqual([result.steps, result.tries], [3, 1]);
      const [archive] = result.archived;
      assert.ok(archive !== undefined && result.archived.length === 1);
      assert.deepEqual([archive.source, archive.rows], ["public.auto_meal_plans", before.length]);
      assert.deepEqual(await plans(`rollback.${archive.name}`), before);
    });

    it("refuses to go back over 020, which has no reversal, before anything is touched", async () => {
      await to("23");
      await assert.rejects(to("19"), /SCHEMA_NO_REVERSAL: meal_planner 20 \(drop_recipes_simplified_table\)/);
      const seen = await currentVersions(tests.databases.open, [example]);
      assert.equal(seen.get("meal_planner")?.head, "23");
    });

    it("comes down from 019 to nothing and up again", async () => {
      await to("19");
      await to("0");
      await to("19");
    });
  });

  describe("over two databases", () => {
    beforeEach(() => tests.databases.create("other"));
    const kill = () =>
      tests.databases
        .sql(
          "app",
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rollback_operator'",
        )
        .then(() => undefined);

    it("changes both", async () => {
      await bring({ app: "3", other: "2" });
      assert.deepEqual([await head(), await head("other")], ["3", "2"]);
      await bring({ app: "1", other: "1" });
      assert.deepEqual([await head(), await head("other")], ["1", "1"]);
      assert.equal(await count("rollback.decision", "other"), 0);
    });

    it("changes neither when the second fails", async () => {
      await tests.folder.write({ "003_logs.sql": "SELECT 1 / (current_database() <> 'other')::int;" });
      await assert.rejects(bring({ app: "3", other: "3" }), /SCHEMA_STEP_FAILED: other 3/);
      assert.deepEqual([await head(), await head("other")], [undefined, undefined]);
    });

    it("rolls both back when it is killed before the decision", async () => {
      const killAt = { at: (moment: string) => (moment === "prepared" ? kill() : undefined) };
      await assert.rejects(bring({ app: "3", other: "2" }, killAt));
      assert.equal(await count("pg_prepared_xacts"), 1);
      const plan = planSchemaChange({
        databases: [databaseAt("app", tests.folder.path)],
        wanted: new Map([["app", "3"]]),
        release: "1.0",
        observe: observer(tests.databases.open),
      });
      await assert.rejects(plan, /SCHEMA_UNFINISHED/);
      const recovered = await recoverPrepared(tests.databases.open, ["app", "other"]);
      assert.deepEqual(
        recovered.map(({ database, outcome }) => [database, outcome]),
        [["app", "rolled back"]],
      );
      assert.deepEqual([await head(), await head("other")], [undefined, undefined]);
      await bring({ app: "3", other: "2" });
    });

    it("finishes both when it is killed after the decision", async () => {
      const killAt = { at: (moment: string) => (moment === "decided" ? kill() : undefined) };
      await assert.rejects(bring({ app: "3", other: "2" }, killAt), /SCHEMA_UNFINISHED/);
      assert.equal(await head("other"), "2");
      const result = await bring({ app: "3", other: "2" });
      assert.equal(result.steps, 0);
      assert.deepEqual([await head(), await head("other")], ["3", "2"]);
      assert.equal(await count("pg_prepared_xacts"), 0);
      assert.equal(await count("rollback.decision", "other"), 0);
    });
  });
});

function refusalCode(error: unknown): string {
  return isRefusal(error) ? error.code : String(error);
}

async function until(condition: () => Promise<number>): Promise<void> {
  for (let tries = 0; (await condition()) === 0; tries++) {
    if (tries > 200) throw new Error("waited too long");
    await sleep(25);
  }
}
