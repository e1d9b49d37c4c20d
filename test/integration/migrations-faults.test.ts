import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { CarryOutOptions } from "../../operations/migrations/carry-out.ts";
import type { Moment } from "../../operations/migrations/commit.ts";
import { close } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import type { TestDatabases, TestFolder } from "../support/migrations.ts";
import { controlOf, type ServerControl } from "../support/fault-trials.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const small = "/var/lib/dumps/tablespace";

describe("a schema change that the server cannot finish", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let folder: TestFolder;

  before(async () => {
    postgres = await startPostgres({ dumpsSize: "64m" });
    databases = await testDatabases(postgres);
    await docker(["exec", "-u", "postgres", postgres.container, "mkdir", small]);
    await databases.sql("postgres", `CREATE TABLESPACE small LOCATION '${small}'`);
  });
  after(() => postgres.remove());
  beforeEach(async () => {
    await databases.create("app");
    folder = await migrationsFolder({
      "1_a.up.sql": "CREATE TABLE a (id int)",
      "1_a.down.sql": "DROP TABLE a",
      "2_b.up.sql": "CREATE TABLE b (id int)",
      "2_b.down.sql": "DROP TABLE b",
    });
  });
  afterEach(() => folder.remove());

  const bring = (version: string, options: CarryOutOptions = {}) =>
    changeSchema(
      {
        databases: [databaseAt("app", folder.path)],
        wanted: new Map([["app", version]]),
        release: "1.0",
      },
      databases.open,
      options,
    );

  async function standsAt(version: number): Promise<void> {
    const rows = await databases.sql(
      "app",
      `SELECT (SELECT max(version)::int FROM schema_migrations) AS tracked,
         (SELECT count(*)::int FROM rollback.migration WHERE state = 'applied') AS ledger,
         (SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('a', 'b')) AS tables`,
    );
    assert.deepEqual(rows, [{ tracked: version, ledger: version, tables: version }]);
  }

  it("for want of space leaves everything as it was, and finishes once there is room", async () => {
    await bring("2");
    await databases.sql("app", "INSERT INTO b SELECT generate_series(1, 400000)");
    await databases.sql("postgres", "ALTER DATABASE app SET TABLESPACE small");
    // 14 MB of rows to keep, and nowhere to put them.
    await docker(["exec", "-u", "postgres", postgres.container, "sh", "-c", fill]);
    await assert.rejects(bring("1"), /SCHEMA_STEP_FAILED: app 2 .*No space left on device/s);
    await standsAt(2);
    await docker(["exec", postgres.container, "rm", "/var/lib/dumps/filler"]);
    const { archived } = await bring("1");
    assert.equal(archived[0]?.rows, 400_000);
    await standsAt(1);
  });

  it("in the time that a statement has is rolled back whole", async () => {
    await folder.write({ "1_a.down.sql": "DROP TABLE a; SELECT pg_sleep(60)" });
    await bring("2");
    await assert.rejects(
      bring("0", { statementTimeoutMs: 200 }),
      /SCHEMA_STEP_FAILED: app 1 .*statement timeout/s,
    );
    await standsAt(2);
  });

  it("for want of a lock that is never granted gives up in time, and finishes once it is free", async () => {
    await bring("2");
    const reader = await databases.admin("app");
    try {
      await reader.query("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE");
      await assert.rejects(bring("0", { lockTimeoutMs: 50, budgetMs: 500 }), /SCHEMA_LOCKED/);
      await standsAt(2);
    } finally {
      await close(reader);
    }
    assert.equal((await bring("0")).steps, 2);
  });

  it("whose network goes away in the middle of its transaction is rolled back, and finishes when it is back", async () => {
    await bring("2");
    const server = controlOf(postgres);
    await assert.rejects(bring("0", { at: (moment) => gone(moment, server) }), /SCHEMA_CONNECTION_LOST/);
    await server.connect();
    await standsAt(2);
    assert.equal((await bring("0")).steps, 2);
  });
});

/** All of the work is done, and not committed. */
async function gone(moment: Moment, server: ServerControl): Promise<void> {
  if (moment === "worked") await server.disconnect();
}

/** Leaves less than 4 MB of the small volume. */
const fill =
  "free=$(df -k --output=avail /var/lib/dumps | tail -1); head -c $(( (free - 3000) * 1024 )) /dev/zero > /var/lib/dumps/filler";
