import assert from "node:assert/strict";
import type { Client } from "pg";
import { close } from "../../operations/database/connection.ts";
import { catalogueMark } from "../../operations/migrations/catalogue/mark.ts";
import { fingerprintNow } from "../../operations/migrations/catalogue/read.ts";
import { testDatabases } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const tracking = { schema: "public", table: "schema_migrations" };

const objects = `
CREATE SCHEMA "Other Place";
CREATE TYPE course AS ENUM ('main', 'side');
CREATE DOMAIN grams AS int CHECK (VALUE >= 0);
CREATE TABLE people (id int PRIMARY KEY);
CREATE TABLE meals (id int PRIMARY KEY, "Name of" text NOT NULL, course course, weight grams, person int, note text);
CREATE TABLE logs (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE logs_1 (at date NOT NULL);
CREATE INDEX logs_at ON ONLY logs (at);
CREATE INDEX logs_1_at ON logs_1 (at);
CREATE SEQUENCE numbers;
CREATE VIEW names AS SELECT id, "Name of" FROM meals;
CREATE MATERIALIZED VIEW heavy AS SELECT id FROM meals WHERE weight > 100;
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION less(a grams, b text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE PUBLICATION news FOR TABLE people;
CREATE FOREIGN DATA WRAPPER far;
CREATE SERVER away FOREIGN DATA WRAPPER far OPTIONS (host 'a');
CREATE STATISTICS together ON id, person FROM meals`;

/** A change of each kind of object, and what undoes it. */
const changes: Readonly<Record<string, readonly [string, string]>> = {
  "a schema": ["CREATE SCHEMA s", "DROP SCHEMA s"],
  "a column's type": [
    "ALTER TABLE meals ALTER note TYPE varchar(9)",
    "ALTER TABLE meals ALTER note TYPE text",
  ],
  "a default": ["ALTER TABLE meals ALTER note SET DEFAULT 'x'", "ALTER TABLE meals ALTER note DROP DEFAULT"],
  "the default of a view's column": [
    "ALTER VIEW names ALTER id SET DEFAULT 1",
    "ALTER VIEW names ALTER id DROP DEFAULT",
  ],
  "a column's statistics target": [
    "ALTER TABLE meals ALTER note SET STATISTICS 500",
    "ALTER TABLE meals ALTER note SET STATISTICS -1",
  ],
  "a column's collation": [
    `ALTER TABLE meals ALTER note TYPE text COLLATE "C"`,
    `ALTER TABLE meals ALTER note TYPE text COLLATE "default"`,
  ],
  "an identity column": [
    "ALTER TABLE people ALTER id ADD GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE people ALTER id DROP IDENTITY",
  ],
  "a generated column": [
    "ALTER TABLE people ADD double int GENERATED ALWAYS AS (id * 2) STORED",
    "ALTER TABLE people DROP double",
  ],
  "a partition": [
    "ALTER TABLE logs ATTACH PARTITION logs_1 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); ALTER INDEX logs_at ATTACH PARTITION logs_1_at",
    "ALTER TABLE logs DETACH PARTITION logs_1",
  ],
  inheritance: [
    "CREATE TABLE child (); ALTER TABLE child ADD id int NOT NULL; ALTER TABLE child INHERIT people",
    "DROP TABLE child",
  ],
  "a label of an enum": [
    "ALTER TYPE course RENAME VALUE 'side' TO 'starter'",
    "ALTER TYPE course RENAME VALUE 'starter' TO 'side'",
  ],
  "a domain's constraint": [
    "ALTER DOMAIN grams ADD CONSTRAINT most CHECK (VALUE < 9000)",
    "ALTER DOMAIN grams DROP CONSTRAINT most",
  ],
  "a foreign key": [
    "ALTER TABLE meals ADD CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people DEFERRABLE",
    "ALTER TABLE meals DROP CONSTRAINT of_person",
  ],
  "an index": [`CREATE INDEX "By Name" ON meals (lower("Name of"))`, `DROP INDEX "By Name"`],
  "a policy": [
    "ALTER TABLE meals ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON meals USING (person = 1)",
    "DROP POLICY own ON meals; ALTER TABLE meals DISABLE ROW LEVEL SECURITY",
  ],
  "a trigger": [
    "CREATE TRIGGER t BEFORE UPDATE ON meals FOR EACH ROW EXECUTE FUNCTION touch()",
    "DROP TRIGGER t ON meals",
  ],
  "a rule": ["CREATE RULE r AS ON DELETE TO people DO INSTEAD NOTHING", "DROP RULE r ON people"],
  "a function's body": [
    "CREATE OR REPLACE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + i'",
    "CREATE OR REPLACE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2'",
  ],
  "a view": [
    `CREATE OR REPLACE VIEW names AS SELECT id, "Name of" FROM meals WHERE id > 0`,
    `CREATE OR REPLACE VIEW names AS SELECT id, "Name of" FROM meals`,
  ],
  "an index of a materialised view": ["CREATE INDEX of_heavy ON heavy (id)", "DROP INDEX of_heavy"],
  "a sequence": ["ALTER SEQUENCE numbers INCREMENT 5", "ALTER SEQUENCE numbers INCREMENT 1"],
  "what owns a sequence": [
    "ALTER SEQUENCE numbers OWNED BY meals.id",
    "ALTER SEQUENCE numbers OWNED BY NONE",
  ],
  "an extension that a migration made": [
    "SET ROLE app_owner; CREATE EXTENSION citext; RESET ROLE",
    "DROP EXTENSION citext",
  ],
  "a comment": ["COMMENT ON COLUMN meals.note IS 'x'", "COMMENT ON COLUMN meals.note IS NULL"],
  "a privilege": ["GRANT SELECT ON meals TO pg_monitor", "REVOKE SELECT ON meals FROM pg_monitor"],
  "a privilege on a column": [
    "GRANT UPDATE (note) ON meals TO pg_monitor",
    "REVOKE UPDATE (note) ON meals FROM pg_monitor",
  ],
  "default privileges": [
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM pg_monitor",
  ],
  "default privileges that were taken": [
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
  ],
  statistics: ["CREATE STATISTICS st ON course, weight FROM meals", "DROP STATISTICS st"],
  "a collation": [`CREATE COLLATION own (locale = 'C')`, "DROP COLLATION own"],
  "an event trigger": [
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION watch()",
    "DROP EVENT TRIGGER e",
  ],
  "the tables of a publication": [
    "ALTER PUBLICATION news ADD TABLE meals",
    "ALTER PUBLICATION news DROP TABLE meals",
  ],
  "a foreign server's options": [
    "ALTER SERVER away OPTIONS (SET host 'b')",
    "ALTER SERVER away OPTIONS (SET host 'a')",
  ],
  "a cast": ["CREATE CAST (course AS int) WITH INOUT AS ASSIGNMENT", "DROP CAST (course AS int)"],
  "an operator": [
    "CREATE OPERATOR <<< (FUNCTION = less, LEFTARG = grams, RIGHTARG = text)",
    "DROP OPERATOR <<< (grams, text)",
  ],
  "the words of a text search": [
    "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR word WITH english_stem",
    "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR word WITH simple",
  ],
  "a storage parameter": ["ALTER TABLE meals SET (fillfactor = 70)", "ALTER TABLE meals RESET (fillfactor)"],
  "an unlogged table": ["ALTER TABLE logs_1 SET UNLOGGED", "ALTER TABLE logs_1 SET LOGGED"],
  "an owner": ["ALTER TABLE people OWNER TO app_owner", "ALTER TABLE people OWNER TO CURRENT_USER"],
};

describe("the fingerprint of a schema", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let client: Client;

  before(async () => {
    postgres = await startPostgres();
    const databases = await testDatabases(postgres);
    await databases.create("app");
    client = await databases.admin("app");
    await client.query(`GRANT CREATE ON DATABASE app TO app_owner; ${objects}`);
  });
  after(async () => {
    await close(client);
    await postgres.remove();
  });

  async function look(): Promise<{ fingerprint: string; mark: string }> {
    await client.query("BEGIN");
    const fingerprint = await fingerprintNow(client, tracking);
    await client.query("COMMIT");
    return { fingerprint, mark: await catalogueMark(client) };
  }

  for (const [what, [change, undo]] of Object.entries(changes)) {
    it(`tells ${what}, and its undoing`, async () => {
      const first = await look();
      await client.query(change);
      const changed = await look();
      await client.query(undo);
      const last = await look();
      assert.notEqual(changed.fingerprint, first.fingerprint);
      assert.notEqual(changed.mark, first.mark, "the mark says that nothing was changed");
      assert.equal(last.fingerprint, first.fingerprint);
    });
  }

  it("does not look at the order of columns, nor at what the stack itself installs", async () => {
    const first = await look();
    await client.query("ALTER TABLE meals DROP course; ALTER TABLE meals ADD course course");
    await client.query("CREATE EXTENSION pgcrypto");
    assert.equal((await look()).fingerprint, first.fingerprint);
  });
});
