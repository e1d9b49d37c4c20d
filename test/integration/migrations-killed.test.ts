import assert from "node:assert/strict";
import { join } from "node:path";
import { execa } from "execa";
import { waitUntilReady } from "../../operations/database/connection.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { CarryOutOptions } from "../../operations/migrations/carry-out.ts";
import { docker } from "../../operations/docker/run.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import type { TestDatabases, TestFolder } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const program = join(import.meta.dirname, "../support/schema-run.mjs");
const both = (version: string): Record<string, string> => ({ one: version, two: version });

describe("a schema change over two databases that is killed", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let folder: TestFolder;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    folder = await migrationsFolder({
      "1_a.up.sql": "CREATE TABLE a (id int PRIMARY KEY)",
      "1_a.down.sql": "DROP TABLE a",
      "2_b.up.sql": "CREATE TABLE b (id int PRIMARY KEY)",
      "2_b.down.sql": "DROP TABLE b",
    });
  });
  after(async () => {
    await folder.remove();
    await postgres.remove();
  });
  beforeEach(async () => {
    await databases.create("one");
    await databases.create("two");
    await bring("2");
  });

  const bring = (version: string, options: CarryOutOptions = {}) =>
    changeSchema(
      {
        databases: Object.keys(both(version)).map((name) => databaseAt(name, folder.path)),
        wanted: new Map(Object.entries(both(version))),
        release: "1.0",
      },
      databases.open,
      options,
    );

  /** What the tool's table, the ledger and the schema say: they must never differ. */
  async function standing(database: string): Promise<string> {
    const [row] = await databases.sql(
      database,
      `SELECT coalesce((SELECT max(version) FROM schema_migrations), 0)::text AS tracked,
         (SELECT count(*) FROM rollback.migration WHERE state = 'applied')::text AS ledger,
         (SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('a', 'b'))::text AS tables`,
    );
    assert.ok(row !== undefined && row["tracked"] === row["ledger"] && row["ledger"] === row["tables"]);
    return String(row["tracked"]);
  }

  async function allOrNoneAndFinished(): Promise<void> {
    await bring("0");
    assert.deepEqual([await standing("one"), await standing("two")], ["0", "0"]);
    const [left] = await databases.sql("one", "SELECT count(*)::int AS n FROM pg_prepared_xacts");
    assert.deepEqual(left, { n: 0 });
  }

  for (const at of ["locked", "one 2", "one 1", "two 2", "two 1", "worked", "prepared", "decided"]) {
    it(`finishes after its program was killed at "${at}"`, async () => {
      const run = { server: databases.server, folder: folder.path, wanted: both("0"), at };
      const { signal } = await execa(process.execPath, [program], {
        env: { RUN: JSON.stringify(run) },
        reject: false,
      }).then((result) => ({ signal: result.signal }));
      assert.equal(signal, "SIGKILL");
      // The last one to commit carries the decision; the other may still wait for it, prepared.
      assert.equal(await standing("two"), at === "decided" ? "0" : "2");
      await allOrNoneAndFinished();
    });
  }

  for (const at of ["worked", "prepared", "decided"] as const) {
    it(`finishes after the server was killed at "${at}"`, async () => {
      const kill = async (moment: string): Promise<void> => {
        if (moment === at) await docker(["kill", "-s", "KILL", postgres.container]);
      };
      await assert.rejects(bring("0", { at: kill }));
      await docker(["start", postgres.container]);
      await waitUntilReady(postgres.server, 30_000, () => undefined);
      assert.equal(await standing("two"), at === "decided" ? "0" : "2");
      await allOrNoneAndFinished();
    });
  }
});
