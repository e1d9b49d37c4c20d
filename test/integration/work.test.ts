import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import { describePlan } from "../../operations/migrations/describe.ts";
import { observer } from "../../operations/migrations/observer.ts";
import { planSchemaChange } from "../../operations/migrations/schema-plan.ts";
import type { SchemaPlan } from "../../operations/migrations/schema-plan.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import type { TestDatabases, TestFolder } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const base = `
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN anything AS text;
CREATE TABLE o (id int PRIMARY KEY);
CREATE TABLE m (id int NOT NULL, short varchar(20) NOT NULL, long text, price numeric(9, 2), at timestamptz(3), flag boolean,
  proven int, number int, named varchar(20) CHECK (named <> ''), keyed varchar(20), CONSTRAINT proven_there CHECK (proven IS NOT NULL));
ALTER TABLE m ADD CONSTRAINT late CHECK (id >= 0) NOT VALID;
INSERT INTO m SELECT n, n::text, n::text, n, now(), true, n, n, 'x', n::text FROM generate_series(1, 500) n;
INSERT INTO o SELECT n FROM generate_series(1, 500) n;
CREATE UNIQUE INDEX m_id ON m (id); CREATE INDEX m_keyed ON m (keyed);
CREATE TABLE p (LIKE m) PARTITION BY RANGE (id);
CREATE UNLOGGED TABLE u (id int); INSERT INTO u SELECT 1;
CREATE MATERIALIZED VIEW v AS SELECT flag FROM m;
`;

/** Statement → what it does to all of the table `m`. */
const statements: Readonly<Record<string, readonly ("rewrites" | "scans")[]>> = {
  "ALTER TABLE m ALTER short TYPE varchar(30)": [],
  "ALTER TABLE m ALTER short TYPE text": [],
  "ALTER TABLE m ALTER short TYPE varchar(10)": ["rewrites"],
  "ALTER TABLE m ALTER long TYPE varchar": [],
  "ALTER TABLE m ALTER long TYPE varchar(40)": ["rewrites"],
  "ALTER TABLE m ALTER price TYPE numeric(12, 2)": [],
  "ALTER TABLE m ALTER price TYPE numeric": [],
  "ALTER TABLE m ALTER price TYPE numeric(12, 3)": ["rewrites"],
  "ALTER TABLE m ALTER at TYPE timestamptz": [],
  "ALTER TABLE m ALTER at TYPE timestamptz(0)": ["rewrites"],
  "ALTER TABLE m ALTER id TYPE bigint": ["rewrites"],
  "ALTER TABLE m ALTER id TYPE oid": ["scans"],
  "ALTER TABLE m ALTER number TYPE oid": [],
  "ALTER TABLE m ALTER named TYPE varchar(30)": ["scans"],
  "ALTER TABLE m ALTER keyed TYPE varchar(30)": [],
  "ALTER TABLE m ALTER short TYPE text USING short": [],
  "ALTER TABLE m ALTER short TYPE text USING upper(short)": ["rewrites"],
  "ALTER TABLE m ADD a int": [],
  "ALTER TABLE m ADD a int NOT NULL DEFAULT 7": [],
  "ALTER TABLE m ADD a timestamptz DEFAULT now()": [],
  "ALTER TABLE m ADD a uuid DEFAULT gen_random_uuid()": ["rewrites"],
  "ALTER TABLE m ADD a serial": ["rewrites"],
  "ALTER TABLE m ADD a int GENERATED ALWAYS AS IDENTITY": ["rewrites"],
  "ALTER TABLE m ADD a int GENERATED ALWAYS AS (id * 2) STORED": ["rewrites"],
  "ALTER TABLE m ADD a positive": ["rewrites"],
  "ALTER TABLE m ADD a int CHECK (a > 0)": ["scans"],
  "ALTER TABLE m ADD a int REFERENCES o": [],
  "ALTER TABLE m ADD a int UNIQUE": ["scans"],
  "ALTER TABLE m DROP COLUMN long": [],
  "ALTER TABLE m ALTER long SET NOT NULL": ["scans"],
  "ALTER TABLE m ALTER short SET NOT NULL": [],
  "ALTER TABLE m ALTER proven SET NOT NULL": [],
  "ALTER TABLE m ALTER long SET DEFAULT 'x'": [],
  "ALTER TABLE m ADD CHECK (id > 0)": ["scans"],
  "ALTER TABLE m ADD CHECK (id > 0) NOT VALID": [],
  "ALTER TABLE m VALIDATE CONSTRAINT late": ["scans"],
  "ALTER TABLE m VALIDATE CONSTRAINT proven_there": [],
  "ALTER TABLE m DROP CONSTRAINT proven_there, ADD CONSTRAINT proven_there CHECK (proven > 0) NOT VALID; ALTER TABLE m VALIDATE CONSTRAINT proven_there":
    ["scans"],
  "ALTER TABLE m ADD FOREIGN KEY (id) REFERENCES o": ["scans"],
  "ALTER TABLE m ADD FOREIGN KEY (id) REFERENCES o NOT VALID": [],
  "ALTER TABLE m ADD UNIQUE (long)": ["scans"],
  "ALTER TABLE m ADD UNIQUE USING INDEX m_id": [],
  "ALTER TABLE m SET UNLOGGED": ["rewrites"],
  "ALTER TABLE m SET LOGGED": [],
  "CREATE INDEX ON m (long)": ["scans"],
  "DROP INDEX m_id": [],
  "REINDEX TABLE m": ["scans"],
  "CLUSTER m USING m_id": ["rewrites"],
  "ALTER TABLE p ATTACH PARTITION m FOR VALUES FROM (0) TO (1000)": ["scans"],
  "ALTER TABLE m RENAME TO n": [],
  "ALTER TABLE m SET (fillfactor = 70)": [],
  "CREATE TABLE fresh (id int); CREATE INDEX ON fresh (id)": [],
};

describe("what a migration does to whole tables", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let folder: TestFolder;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    await databases.create("app");
    folder = await migrationsFolder({ "001_base.sql": base });
    const request = { databases: [databaseAt("app", folder.path)], wanted: new Map([["app", "1"]]) };
    await changeSchema({ ...request, release: "1.0" }, databases.open);
  });
  after(async () => {
    await folder.remove();
    await postgres.remove();
  });

  async function planned(sql: string): Promise<SchemaPlan> {
    await folder.write({ "002_next.sql": `${sql};` });
    return planSchemaChange({
      databases: [databaseAt("app", folder.path)],
      wanted: new Map([["app", "2"]]),
      release: "1.0",
      observe: observer(databases.open),
    });
  }
  const judged = (plan: SchemaPlan) =>
    plan.databases
      .flatMap(({ steps }) => steps.flatMap(({ script }) => script.statements))
      .flatMap(({ works }) => works);

  /** What happens to `m` when PostgreSQL runs it: a new file, or a sequential scan. */
  async function measured(sql: string): Promise<string[]> {
    const client = await databases.admin("app");
    try {
      const { rows } = await client.query<{ file: number; oid: number }>(
        "SELECT pg_relation_filenode('m') AS file, 'm'::regclass::oid AS oid",
      );
      const [before] = rows;
      assert.ok(before);
      await client.query(`BEGIN; ${sql}`);
      const after = await client.query<{ file: number; scans: number }>(
        "SELECT pg_relation_filenode($1) AS file, pg_stat_get_xact_numscans($1)::int AS scans",
        [before.oid],
      );
      const [now] = after.rows;
      assert.ok(now);
      return now.file !== before.file ? ["rewrites"] : now.scans > 0 ? ["scans"] : [];
    } finally {
      await client.query("ROLLBACK");
      await client.end();
    }
  }

  for (const [sql, expected] of Object.entries(statements)) {
    it(`of ${sql} is ${expected.join() || "nothing"}, by the plan and by PostgreSQL itself`, async () => {
      assert.deepEqual(await measured(sql), expected, "what PostgreSQL does");
      assert.deepEqual(
        judged(await planned(sql)).map(({ how }) => how),
        expected,
        "what the plan says",
      );
    });
  }

  it("is told with the table's size, and is not taken from a column that the same plan changes before", async () => {
    const plan = await planned(
      "ALTER TABLE m ALTER short TYPE int USING short::int; ALTER TABLE m ALTER short TYPE varchar(20)",
    );
    assert.deepEqual(
      judged(plan).map(({ how }) => how),
      ["rewrites", "rewrites"],
    );
    assert.match(
      describePlan(plan),
      /^ {2}whole tables, while they are locked: m: rewritten \(\d+\.\d kB\)$/m,
    );
  });

  it("tells of other tables and views as well", async () => {
    const plan = await planned(
      "REFRESH MATERIALIZED VIEW v; ALTER TABLE u SET LOGGED; ALTER TABLE m ADD a anything",
    );
    assert.deepEqual(
      judged(plan).map(({ table, how }) => `${table.name} ${how}`),
      ["v rewrites", "u rewrites"],
    );
  });
});
