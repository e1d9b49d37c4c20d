import assert from "node:assert/strict";
import { loadParser, parseScript } from "../../../operations/migrations/sql/parse.ts";
import { understand } from "../../../operations/migrations/sql/script.ts";
import { scriptClass } from "../../../operations/migrations/steps.ts";
import { showName } from "../../../operations/migrations/sql/names.ts";
import { isRefusal } from "../../../settings/refusal.ts";

function statements(sql: string): string[] {
  return understand(sql, "app 1 (up)").statements.map((statement) => statement.sql);
}

function locks(sql: string): string[] {
  return understand(sql, "app 1 (up)").statements.flatMap(({ locks: all }) =>
    all.map((lock) => `${showName(lock.table)} ${lock.mode}`),
  );
}

function losses(sql: string): string[] {
  return understand(sql, "app 1 (up)").statements.flatMap(({ losses: all }) =>
    all.map((loss) => {
      const name = showName(loss.kind === "object" ? loss.name : loss.table);
      if (loss.kind === "object") return `${loss.type} ${name}`;
      return `${loss.how} ${loss.kind} ${name}${loss.kind === "column" ? `.${loss.column}` : ""}`;
    }),
  );
}

function opaque(sql: string): (string | undefined)[] {
  return understand(sql, "app 1 (up)").statements.map((statement) => statement.opaque);
}

function refused(sql: string, code: string, found = /./): void {
  assert.throws(
    () => understand(sql, "app 1 (up)"),
    (error) => {
      assert.ok(isRefusal(error, code), String(error));
      assert.match(error.details.found, found);
      return true;
    },
  );
}

describe("understanding a migration's SQL", () => {
  before(loadParser);

  describe("splitting", () => {
    it("knows strings, dollar quotes, comments and names beyond ASCII", () => {
      const sql = `-- first; really\nSELECT 'a;b', $q$ ; $q$; /* ; /* nested */ */\n\nUPDATE "mahlzeit é" SET "größe" = 1 -- no end`;
      const parsed = parseScript(sql, "x");
      assert.deepEqual(
        parsed.map(({ sql: text, line }) => [text, line]),
        [
          ["SELECT 'a;b', $q$ ; $q$", 2],
          [`UPDATE "mahlzeit é" SET "größe" = 1 -- no end`, 4],
        ],
      );
    });

    it("takes an empty file and one of comments only as nothing", () => {
      assert.deepEqual(statements(""), []);
      assert.deepEqual(statements("\n -- nothing here\n;;"), []);
    });

    it("refuses what PostgreSQL would refuse, with the line", () => {
      refused(
        "SELECT 1;\nALTER TABEL x ADD y int;",
        "MIGRATION_SYNTAX",
        /line 2: syntax error at or near "TABEL"/,
      );
    });

    it("refuses psql's own commands and data for COPY", () => {
      refused("SELECT 1;\n\\i other.sql\n", "MIGRATION_PSQL_COMMAND", /line 2/);
      refused("COPY meals FROM stdin;\n1\tsoup\n\\.\n", "MIGRATION_COPY_STDIN");
      assert.deepEqual(statements("SELECT E'\\\\i x'"), ["SELECT E'\\\\i x'"]);
    });
  });

  describe("transaction control", () => {
    it("leaves out BEGIN and COMMIT that only wrap", () => {
      assert.deepEqual(statements("BEGIN;\nSELECT 1;\nCOMMIT;"), ["SELECT 1"]);
      assert.deepEqual(statements("START TRANSACTION; SELECT 1; END; BEGIN; SELECT 2; COMMIT"), [
        "SELECT 1",
        "SELECT 2",
      ]);
      assert.match(understand("BEGIN; SELECT 1; COMMIT", "x").notes.join(), /BEGIN and COMMIT are left out/);
    });

    it("keeps savepoints, which live inside a transaction", () => {
      assert.equal(statements("SAVEPOINT a; SELECT 1; ROLLBACK TO a").length, 3);
    });

    it("refuses everything else", () => {
      for (const sql of [
        "COMMIT",
        "BEGIN; SELECT 1",
        "SELECT 1; ROLLBACK",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; COMMIT",
        "BEGIN; COMMIT AND CHAIN",
        "PREPARE TRANSACTION 'x'",
      ]) {
        refused(sql, "SCHEMA_TRANSACTION_CONTROL");
      }
    });
  });

  describe("what cannot run in a transaction", () => {
    it("runs concurrent index changes in their plain form", () => {
      assert.deepEqual(statements(`CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "concurrently" ON t (a)`), [
        `CREATE UNIQUE INDEX IF NOT EXISTS "concurrently" ON t (a)`,
      ]);
      assert.deepEqual(statements("DROP INDEX CONCURRENTLY i"), ["DROP INDEX i"]);
      assert.deepEqual(statements("REINDEX TABLE CONCURRENTLY t"), ["REINDEX TABLE t"]);
      assert.deepEqual(statements("ALTER TABLE t DETACH PARTITION p CONCURRENTLY"), [
        "ALTER TABLE t DETACH PARTITION p ",
      ]);
    });

    it("marks the rest, which has no plain form", () => {
      for (const sql of [
        "VACUUM meals",
        "CREATE DATABASE x",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "REINDEX DATABASE x",
        "CLUSTER",
      ]) {
        const script = understand(sql, "db 1 (up)");
        assert.deepEqual(
          script.statements.map(({ sql: text, outside }) => [text, outside?.hasPlainForm]),
          [[sql, false]],
        );
        assert.equal(scriptClass(script), "not transactional");
      }
    });

    it("refuses to leave the owner role", () => {
      for (const sql of [
        "SET ROLE postgres",
        "RESET ROLE",
        "SET LOCAL ROLE x",
        "SET SESSION AUTHORIZATION x",
        "RESET SESSION AUTHORIZATION",
      ]) {
        refused(sql, "SCHEMA_CHANGES_ROLE");
      }
    });
  });

  describe("locks", () => {
    it("are those of PostgreSQL's manual", () => {
      assert.deepEqual(locks("ALTER TABLE a ADD COLUMN b int"), ["a ACCESS EXCLUSIVE"]);
      assert.deepEqual(locks("ALTER TABLE a VALIDATE CONSTRAINT c"), ["a SHARE UPDATE EXCLUSIVE"]);
      assert.deepEqual(locks("ALTER TABLE s.a ADD FOREIGN KEY (b) REFERENCES b (id)"), [
        "s.a SHARE ROW EXCLUSIVE",
        "b SHARE ROW EXCLUSIVE",
      ]);
      assert.deepEqual(locks("CREATE TABLE a (b int REFERENCES b)"), ["b SHARE ROW EXCLUSIVE"]);
      assert.deepEqual(locks("CREATE INDEX i ON a (b)"), ["a SHARE"]);
      assert.deepEqual(locks("DROP TRIGGER t ON s.a"), ["s.a ACCESS EXCLUSIVE"]);
      assert.deepEqual(locks("CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f()"), [
        "a SHARE ROW EXCLUSIVE",
      ]);
      assert.deepEqual(locks("COMMENT ON COLUMN s.a.b IS 'x'"), ["s.a SHARE UPDATE EXCLUSIVE"]);
      assert.deepEqual(locks("LOCK TABLE a IN SHARE MODE"), ["a SHARE"]);
    });

    it("tell what a query writes from what it reads", () => {
      assert.deepEqual(locks("UPDATE a SET x = b.x FROM b"), ["a ROW EXCLUSIVE", "b ACCESS SHARE"]);
      assert.deepEqual(locks("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone"), [
        "b ROW EXCLUSIVE",
        "a ROW EXCLUSIVE",
      ]);
    });
  });

  describe("losses", () => {
    it("are tables, columns and rows that a statement destroys or overwrites", () => {
      assert.deepEqual(losses(`DROP TABLE IF EXISTS a, "S"."B" CASCADE`), ["drop table a", "drop table S.B"]);
      assert.deepEqual(
        losses("ALTER TABLE a DROP COLUMN IF EXISTS b, ALTER COLUMN c TYPE int USING c::int, ADD d int"),
        ["drop column a.b", "retype column a.c"],
      );
      assert.deepEqual(losses("TRUNCATE a, b"), ["truncate table a", "truncate table b"]);
      assert.deepEqual(losses("DELETE FROM a USING b WHERE a.x = b.x"), ["delete rows a"]);
      assert.deepEqual(losses("INSERT INTO a VALUES (1) ON CONFLICT (x) DO UPDATE SET y = 2"), [
        "update rows a",
      ]);
      assert.deepEqual(losses("MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE"), [
        "delete rows a",
      ]);
      assert.deepEqual(losses("DROP TYPE mood CASCADE; DROP SCHEMA s CASCADE"), ["type mood", "schema s"]);
    });

    it("are none where nothing is lost", () => {
      for (const sql of [
        "DROP INDEX i",
        "DROP VIEW v",
        "DROP TYPE mood",
        "DROP SCHEMA s",
        "INSERT INTO a VALUES (1)",
        "ALTER TABLE a ADD b int",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM a'",
      ]) {
        assert.deepEqual(losses(sql), [], sql);
      }
    });
  });

  it("says when an effect cannot be known from the text", () => {
    assert.deepEqual(
      opaque("DO $$ BEGIN DROP TABLE a; END $$; CALL p(); SELECT my_cleanup(); SELECT setval('s', 1), now()"),
      ["a DO block", "CALL of a procedure", "a call of my_cleanup()", undefined],
    );
  });

  it("says what two-phase commit does not take", () => {
    const of = (sql: string) =>
      understand(sql, "x").statements.flatMap(({ hindrances }) => hindrances.map(({ what }) => what));
    const hindered: Readonly<Record<string, readonly string[]>> = {
      "NOTIFY x; SELECT pg_notify('x', '')": ["NOTIFY", "pg_notify()"],
      "CREATE TEMP TABLE t (a int); SELECT 1 INTO TEMP u; DROP TABLE pg_temp.t":
        Array<string>(3).fill("a temporary table"),
      "CREATE TEMP SEQUENCE s; CREATE TEMP VIEW v AS SELECT 1": Array<string>(2).fill("a temporary table"),
      "DECLARE c CURSOR WITH HOLD FOR SELECT 1; DECLARE d CURSOR FOR SELECT 1": ["a cursor WITH HOLD"],
      "SELECT pg_export_snapshot()": ["pg_export_snapshot()"],
      "SELECT pg_advisory_lock(1); SELECT pg_try_advisory_xact_lock(1)": [
        "pg_advisory_lock()",
        "pg_try_advisory_xact_lock()",
      ],
      "DO $$ BEGIN PERFORM pg_notify('x', ''); -- CREATE TEMP TABLE no\nEND $$": ["NOTIFY in a DO block"],
      "CREATE TABLE notify (listen int); INSERT INTO notify VALUES (1); CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'NOTIFY x'":
        [],
    };
    for (const [sql, what] of Object.entries(hindered)) assert.deepEqual(of(sql), what, sql);
  });
});
