import assert from "node:assert/strict";
import type { ClientBase } from "pg";
import { close } from "../../operations/database/connection.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { CarryOutOptions, SchemaResult } from "../../operations/migrations/carry-out.ts";
import { capturedOf } from "../../operations/migrations/drafting/captured.ts";
import { currentVersions } from "../../operations/migrations/observe.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt } from "../support/migrations.ts";

const files = {
  "001_meals.sql":
    "CREATE TYPE course AS ENUM ('main'); CREATE TABLE meals (id int PRIMARY KEY, name text, course course);",
  "rollback/001_x.sql": "DROP TABLE meals; DROP TYPE course;",
  "002_vacuum.sql":
    "INSERT INTO meals SELECT g, 'meal ' || g FROM generate_series(1, 200) g;\nVACUUM meals;\nCREATE INDEX CONCURRENTLY by_name ON meals (name);",
  "rollback/002_x.sql": "DROP INDEX CONCURRENTLY by_name;\nVACUUM meals;\nDELETE FROM meals;",
  "003_label.sql": "ALTER TYPE course ADD VALUE 'side';",
  "rollback/003_x.sql": "UPDATE meals SET course = NULL;",
  "004_side.sql": "UPDATE meals SET course = 'side' WHERE id = 1;",
  "rollback/004_x.sql": "UPDATE meals SET course = NULL WHERE course = 'side';",
};

describe("steps that cannot run in a transaction", function () {
  this.timeout(120_000);
  const tests = migrationTests({ files });

  function bring(
    version: string,
    options: CarryOutOptions & { readonly budgetMs?: number } = {},
    indexBudgetMs = 15_000,
  ): Promise<SchemaResult> {
    const request = {
      databases: [databaseAt("app", tests.folder.path)],
      wanted: new Map([["app", version]]),
      release: "1.0",
      budgetMs: indexBudgetMs,
    };
    return changeSchema(request, tests.databases.open, options);
  }
  async function head(): Promise<string | undefined> {
    return (await currentVersions(tests.databases.open, [databaseAt("app", tests.folder.path)])).get("app")
      ?.head;
  }
  async function states(): Promise<unknown[]> {
    const rows = await tests.databases.sql(
      "app",
      "SELECT details ->> 'state' || ' ' || (details ->> 'done') AS s FROM rollback.event WHERE kind = 'boundary' ORDER BY id",
    );
    return rows.map((row) => row["s"]);
  }
  async function indexes(): Promise<unknown[]> {
    const rows = await tests.databases.sql(
      "app",
      "SELECT c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END AS n FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'meals'::regclass AND NOT indisprimary ORDER BY 1",
    );
    return rows.map((row) => row["n"]);
  }

  it("go up and down between transactions, with an event before and after each statement", async () => {
    const seen: string[] = [];
    const up = await bring("2", { onBoundary: (step) => void seen.push(step.where) });
    assert.deepEqual([await head(), up.segments, seen], ["2", 2, ["app 2 (up)"]]);
    assert.deepEqual(await states(), ["open 0", "done 1", "begun 1", "done 2", "done 3", "closed 3"]);
    const down = await bring("1");
    assert.equal(await head(), "1");
    assert.deepEqual(
      down.archived.map(({ source, rows }) => [source, rows]),
      [["public.meals", 200]],
    );
    const [ledger] = await tests.databases.sql(
      "app",
      "SELECT class, fingerprint_before IS NOT NULL AS known, state FROM rollback.migration WHERE version = '2'",
    );
    assert.deepEqual(ledger, { class: "not transactional", known: true, state: "reversed" });
    assert.equal((await bring("2")).putBack.length, 1);
  });

  it("commits a label of an enum before a later step uses it", async () => {
    const result = await bring("4");
    assert.equal(await head(), "4");
    assert.equal(result.segments, 4);
    assert.equal((await bring("1")).segments, 2);
  });

  it("leaves CONCURRENTLY as it is where the plain form would take longer than the hold allows", async () => {
    await tests.folder.write({
      "005_index.sql": "CREATE INDEX CONCURRENTLY ON meals (course);",
      "rollback/005_x.sql": "DROP INDEX meals_course_idx;",
    });
    await bring("4");
    assert.deepEqual((await bring("5", {}, 0)).segments, 1);
    assert.ok((await states()).includes("begun 0"));
    await bring("4");
    const before = (await states()).length;
    await bring("5");
    assert.equal((await states()).length, before);
  });

  it("goes on after the last statement that is done, with what is not done yet corrected", async () => {
    await tests.folder.write({
      "005_unique.sql":
        "SET work_mem = '8MB'; UPDATE meals SET name = 'same';\nVACUUM meals;\nCREATE UNIQUE INDEX CONCURRENTLY one_name ON meals (name);",
      "rollback/005_x.sql": "DROP INDEX CONCURRENTLY one_name;",
    });
    await bring("4");
    await assert.rejects(bring("5", {}, 0), (error) => isRefusal(error, "SCHEMA_BOUNDARY"));
    assert.equal(await head(), "4");
    assert.deepEqual(await indexes(), ["by_name"], "the INVALID index is gone");
    await assert.rejects(bring("4"), (error) => isRefusal(error, "SCHEMA_BOUNDARY_OPEN"));
    await tests.folder.write({
      "005_unique.sql":
        "SET work_mem = '8MB'; UPDATE meals SET name = 'same';\nVACUUM meals;\nUPDATE meals SET name = id;\nCREATE UNIQUE INDEX CONCURRENTLY one_name ON meals (name);",
    });
    await bring("5", {}, 0);
    assert.deepEqual([await head(), await indexes()], ["5", ["by_name", "one_name"]]);
    await bring("4");
    assert.deepEqual(await indexes(), ["by_name"]);
  });

  it("finishes a partition that a DETACH CONCURRENTLY which was cut short has left half detached", async () => {
    await tests.folder.write({
      "005_parts.sql":
        "CREATE TABLE logs (id int) PARTITION BY RANGE (id); CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (1) TO (9);",
      "rollback/005_x.sql": "DROP TABLE logs;",
      "006_detach.sql": "ALTER TABLE logs DETACH PARTITION logs_1 CONCURRENTLY;",
      "rollback/006_x.sql": "ALTER TABLE logs ATTACH PARTITION logs_1 FOR VALUES FROM (1) TO (9);",
    });
    await bring("5");
    // A reader keeps the second half of it waiting; then its session is ended, as with a tool that is killed.
    const reader = await tests.databases.admin("app");
    await reader.query("BEGIN; SELECT count(*) FROM logs");
    const other = await tests.databases.admin("app");
    const { rows } = await other.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const detach = assert.rejects(other.query("ALTER TABLE logs DETACH PARTITION logs_1 CONCURRENTLY"));
    const pending = "SELECT FROM pg_inherits WHERE inhdetachpending";
    while ((await tests.databases.sql("app", pending)).length === 0);
    await tests.databases.sql("app", `SELECT pg_terminate_backend(${rows[0]?.pid ?? 0})`);
    await detach;
    await reader.query("COMMIT");
    await Promise.all([close(reader), close(other)]);
    await bring("6");
    const partitions = "SELECT FROM pg_inherits WHERE inhparent = 'logs'::regclass";
    assert.deepEqual([await head(), await tests.databases.sql("app", partitions)], ["6", []]);
    await bring("5");
    assert.equal((await tests.databases.sql("app", partitions)).length, 1);
  });

  it("keeps the schema before a step without reversal for a draft, also when it is finished by a later run", async () => {
    const drop = "VACUUM meals;\nALTER TABLE meals DROP COLUMN name;\nCREATE TABLE plates (id int);\n";
    await tests.folder.write({ "005_drop.sql": `${drop}SELECT 1 / 0;` });
    await bring("4");
    await assert.rejects(bring("5"), (error) => isRefusal(error, "SCHEMA_BOUNDARY"));
    await tests.folder.write({ "005_drop.sql": drop });
    await bring("5");
    const admin = await tests.databases.admin("app");
    const captured = await capturedOf(admin, "5");
    await close(admin);
    assert.ok(captured?.objects.some(({ kind, base }) => kind === "column" && base === "name"));
    assert.ok(captured?.gone.some((key) => key.includes("plates")));
    assert.deepEqual(await tests.databases.sql("app", "SELECT FROM rollback.boundary"), []);
  });

  it("goes on with the step that was cut short, and begins the next one of its kind at its own beginning", async () => {
    await bring("1");
    // Of 002 everything is done but closing it; 003 to 004 are still to come, and 003 is committed by itself as well.
    const stop = new Error("stopped");
    const guard = async (client: ClientBase): Promise<void> => {
      const { rows } = await client.query(
        "SELECT FROM rollback.event WHERE kind = 'boundary' AND details ->> 'done' = '3'",
      );
      if (rows.length > 0) throw stop;
    };
    await assert.rejects(bring("4", { guard }), /SCHEMA_BOUNDARY.*after 3 of 3/s);
    await bring("4");
    assert.equal(await head(), "4");
    assert.deepEqual(await tests.databases.sql("app", "SELECT course FROM meals WHERE id = 1"), [
      { course: "side" },
    ]);
  });

  it("finds and removes the INVALID index that a killed run left, and gives the step up when it is not wanted", async () => {
    await tests.folder.write({
      "005_index.sql": "CREATE INDEX CONCURRENTLY IF NOT EXISTS slow ON meals (course);",
      "rollback/005_x.sql": "DROP INDEX CONCURRENTLY slow;",
    });
    await bring("4");
    // An old transaction keeps the index from becoming valid; then the session of the run is ended.
    const reader = await tests.databases.admin("app");
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM meals");
    const killed = assert.rejects(bring("5", {}, 0));
    const left = "SELECT FROM pg_index WHERE indexrelid = to_regclass('slow') AND NOT indisvalid";
    while ((await tests.databases.sql("app", left)).length === 0);
    await tests.databases.sql(
      "app",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND pid <> pg_backend_pid()",
    );
    await killed;
    await reader.query("COMMIT");
    await close(reader);
    assert.deepEqual(await indexes(), ["by_name", "slow invalid"]);
    await bring("4");
    assert.deepEqual(
      [await head(), await indexes(), (await states()).at(-1)],
      ["4", ["by_name"], "closed 0"],
    );
    await bring("5", {}, 0);
    assert.deepEqual([await head(), await indexes()], ["5", ["by_name", "slow"]]);
  });
});
