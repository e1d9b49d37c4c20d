import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Client } from "pg";
import { close } from "../../operations/database/connection.ts";
import { readSnapshot } from "../../operations/migrations/drafting/snapshot.ts";
import { draftAndProve, runAsOwner } from "../../operations/migrations/drafting/prove.ts";
import type { ProvenDraft } from "../../operations/migrations/drafting/prove.ts";
import { loadParser } from "../../operations/migrations/sql/parse.ts";
import { testDatabases } from "../support/migrations.ts";
import type { TestDatabases } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

/** Migrations without a reversal, all of them to `rich-schema.sql`. */
const ups: Readonly<Record<string, string>> = {
  "a table that goes with what hangs on it": "DROP TABLE shop.owners CASCADE",
  "a table with policies, triggers, identity and views": "DROP TABLE shop.pets CASCADE",
  "a partitioned table": "DROP TABLE shop.log",
  "a partition": "DROP TABLE shop.log_1",
  "a partition that is detached": "ALTER TABLE shop.log DETACH PARTITION shop.log_1",
  "a new partition":
    "CREATE TABLE shop.log_2 PARTITION OF shop.log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
  "a parent of inheritance": "DROP TABLE shop.base CASCADE",
  "a whole schema": "DROP SCHEMA shop CASCADE",
  "ugly names": 'DROP SCHEMA "Odd Schema" CASCADE',
  "a dropped column with an index": 'ALTER TABLE "Odd Schema"."select" DROP COLUMN "a.b"',
  "a dropped column that views use": "ALTER TABLE shop.pets DROP COLUMN weight CASCADE",
  "a dropped serial": "ALTER TABLE shop.owners DROP COLUMN id CASCADE",
  "a new column": "ALTER TABLE shop.owners ADD COLUMN age int NOT NULL DEFAULT 7 CHECK (age > 0)",
  "a new table":
    "CREATE TABLE shop.toys (id serial PRIMARY KEY, pet bigint REFERENCES shop.pets, kind shop.mood); CREATE INDEX ON shop.toys (pet)",
  "a new table whose trigger, default and rules call new functions":
    "CREATE TABLE shop.jobs (id int PRIMARY KEY, state text); CREATE FUNCTION shop.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER tell AFTER INSERT ON shop.jobs FOR EACH ROW EXECUTE FUNCTION shop.tell(); CREATE FUNCTION shop.first_state() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'new'::text $$; ALTER TABLE shop.jobs ALTER COLUMN state SET DEFAULT shop.first_state(), ADD CHECK (state <> shop.first_state() OR id > 0); CREATE POLICY mine ON shop.jobs USING (state = shop.first_state()); CREATE INDEX ON shop.jobs ((state = shop.first_state()))",
  "new tables in a circle":
    "CREATE TABLE shop.a (id int PRIMARY KEY, b int); CREATE TABLE shop.b (id int PRIMARY KEY, a int REFERENCES shop.a); ALTER TABLE shop.a ADD FOREIGN KEY (b) REFERENCES shop.b",
  "a renamed column": "ALTER TABLE shop.pets RENAME COLUMN weight TO kilos",
  "a renamed table": "ALTER TABLE shop.pets RENAME TO animals",
  "a renamed schema": "ALTER SCHEMA shop RENAME TO store",
  "a table moved to another schema": 'ALTER TABLE shop.owners SET SCHEMA "Odd Schema"',
  "a table that another one replaces":
    "ALTER TABLE shop.base RENAME TO base_old; CREATE TABLE shop.base (id int PRIMARY KEY, other text)",
  "names that change places":
    "ALTER TABLE shop.owners RENAME COLUMN name TO tmp; ALTER TABLE shop.owners RENAME COLUMN mail TO name; ALTER TABLE shop.owners RENAME COLUMN tmp TO mail",
  "another type": "DROP VIEW shop.heavy CASCADE; ALTER TABLE shop.owners ALTER COLUMN name TYPE text",
  "another type under views":
    "DROP VIEW shop.heavy CASCADE; DROP TRIGGER touch ON shop.pets; DROP POLICY written ON shop.pets; ALTER TABLE shop.pets ALTER COLUMN name TYPE varchar(50)",
  "a type of another kind":
    "ALTER TABLE shop.owners ALTER COLUMN tags DROP DEFAULT, ALTER COLUMN tags TYPE jsonb USING to_jsonb(tags)",
  "a wider key":
    "DROP VIEW shop.heavy CASCADE; ALTER TABLE shop.owners ALTER COLUMN id TYPE bigint; CREATE VIEW shop.heavy AS SELECT id FROM shop.owners",
  "a new enum value": "ALTER TYPE shop.mood ADD VALUE 'great' BEFORE 'ok'",
  "a new enum value that is used at once":
    "ALTER TYPE shop.mood ADD VALUE 'great'; ALTER TABLE shop.owners ALTER COLUMN mood SET DEFAULT 'great'",
  "a renamed enum value": "ALTER TYPE shop.mood RENAME VALUE 'ok' TO 'fine'",
  "a type that goes with its columns": "DROP TYPE shop.mood CASCADE",
  "a domain with other rules":
    "ALTER DOMAIN shop.email DROP CONSTRAINT has_at; ALTER DOMAIN shop.email DROP NOT NULL; ALTER DOMAIN shop.email SET DEFAULT 'x@y'",
  "a composite type that grew": "ALTER TYPE shop.address ADD ATTRIBUTE city text, DROP ATTRIBUTE no",
  "another view":
    "CREATE OR REPLACE VIEW shop.heavy AS SELECT p.id, p.name, o.name AS owner, p.born FROM shop.pets p JOIN shop.owners o ON o.id = p.owner",
  "a function with another body":
    "CREATE OR REPLACE FUNCTION shop.shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(t) $$",
  "a function with another result":
    "DROP VIEW shop.heaviest; DROP FUNCTION shop.shout(text); CREATE FUNCTION shop.shout(t text) RETURNS int LANGUAGE sql AS $$ SELECT length(t) $$",
  "a dropped aggregate and procedure":
    "DROP AGGREGATE shop.longest(text); DROP PROCEDURE shop.nothing(int, text)",
  "a dropped function with its trigger": "DROP FUNCTION shop.touch() CASCADE",
  "policies and row security":
    "DROP POLICY seen ON shop.pets; ALTER TABLE shop.pets DISABLE ROW LEVEL SECURITY; ALTER TABLE shop.owners FORCE ROW LEVEL SECURITY",
  "defaults and constraints":
    "ALTER TABLE shop.owners ALTER COLUMN mood DROP DEFAULT, ALTER COLUMN name DROP NOT NULL, DROP CONSTRAINT owners_name_key; ALTER TABLE shop.pets DROP CONSTRAINT born_known",
  "identity and generated columns":
    "ALTER TABLE shop.pets ALTER COLUMN id DROP IDENTITY; ALTER TABLE shop.pets ALTER COLUMN grams DROP EXPRESSION",
  "an identity of another kind":
    "ALTER TABLE shop.pets ALTER COLUMN id SET GENERATED BY DEFAULT SET INCREMENT 7",
  "a serial that became an identity":
    "DROP VIEW shop.heavy CASCADE; ALTER TABLE shop.owners ALTER COLUMN id TYPE bigint, ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE shop.owners_id_seq; ALTER TABLE shop.owners ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (RESTART 1580559962386438)",
  "dropped operators":
    "DROP VIEW beside.odd; DROP OPERATOR beside.!== (text, text); DROP OPERATOR beside.=== (text, text)",
  "a dropped cast, text search and publication":
    "DROP CAST (beside.pair AS text); DROP INDEX beside.words_search; DROP TEXT SEARCH CONFIGURATION beside.both; DROP TEXT SEARCH DICTIONARY beside.plain; DROP PUBLICATION news",
  "a collation that goes with its column": "DROP COLLATION beside.loose CASCADE",
  "a server with what is on it": "DROP SERVER far CASCADE",
  "a foreign table": "DROP FOREIGN TABLE beside.remote",
  "a schema with operators, casts and text search": "DROP SCHEMA beside CASCADE",
  "comments and privileges beside tables":
    "COMMENT ON SERVER far IS NULL; REVOKE USAGE ON FOREIGN SERVER far FROM reader; COMMENT ON CAST (beside.pair AS text) IS 'other'; COMMENT ON OPERATOR beside.!== (text, text) IS 'new'; COMMENT ON COLLATION beside.loose IS NULL; COMMENT ON RULE no_more ON beside.words IS NULL; COMMENT ON STATISTICS beside.words_stats IS 'x'; COMMENT ON PUBLICATION news IS NULL",
  "a publication, a text search configuration and a server that changed":
    "ALTER PUBLICATION news SET (publish = 'delete'); ALTER TEXT SEARCH CONFIGURATION beside.both DROP MAPPING FOR word; ALTER SERVER far VERSION '2'",
  "another expression": "ALTER TABLE shop.pets ALTER COLUMN grams SET EXPRESSION AS (weight * 2000)",
  "a sequence with other steps": "ALTER SEQUENCE shop.tickets INCREMENT 1 NO MAXVALUE NO CYCLE",
  "a dropped sequence": "DROP SEQUENCE shop.tickets",
  "indexes that others replace":
    "DROP INDEX shop.pets_lower; CREATE INDEX pets_lower ON shop.pets (upper(name)); DROP INDEX shop.log_kind; ALTER INDEX shop.pets_born RENAME TO born_pets",
  "a materialised view": "DROP MATERIALIZED VIEW shop.counts",
  comments:
    "COMMENT ON TABLE shop.owners IS NULL; COMMENT ON COLUMN shop.heavy.owner IS 'x'; COMMENT ON INDEX shop.pets_born IS 'new'; COMMENT ON CONSTRAINT has_at ON DOMAIN shop.email IS 'at'",
  privileges:
    "REVOKE INSERT ON shop.owners FROM reader; GRANT UPDATE (born) ON shop.pets TO reader; GRANT EXECUTE ON FUNCTION shop.shout(text) TO PUBLIC; REVOKE GRANT OPTION FOR SELECT ON shop.heavy FROM reader; ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE SELECT ON TABLES FROM reader",
  "options of a table":
    "ALTER TABLE shop.pets SET (fillfactor = 50); ALTER TABLE shop.owners ALTER COLUMN name SET STORAGE EXTERNAL; ALTER TABLE shop.base SET UNLOGGED; ALTER TABLE shop.pets REPLICA IDENTITY FULL",
  "statistics and rules": "DROP STATISTICS shop.pet_stats; DROP RULE keep ON shop.base",
  "a column of a parent table":
    "ALTER TABLE shop.base DROP COLUMN note; ALTER TABLE shop.log ADD COLUMN more int DEFAULT 3",
  "a DO block":
    "DO $$ BEGIN EXECUTE 'ALTER TABLE shop.owners DROP COLUMN home'; EXECUTE 'CREATE TABLE shop.done ()'; END $$",
};

describe("drafting a reversal", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let rich: string;
  let beside: string;

  before(async () => {
    await loadParser();
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    rich = await readFile(path.join(import.meta.dirname, "../support/rich-schema.sql"), "utf8");
    await databases.sql("postgres", "CREATE ROLE reader");
    await databases.create("rich");
    // An owner may not make these; what it may do with them is up to a superuser.
    await databases.sql(
      "rich",
      "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO rich_owner; GRANT CREATE ON DATABASE rich TO rich_owner",
    );
    await withClient("rich", (client) => runAsOwner(scratch(client, "rich"), rich, "the schema"));
    beside = await readFile(path.join(import.meta.dirname, "../support/beside-tables.sql"), "utf8");
    await withClient("rich", (client) => runAsOwner(scratch(client, "rich"), beside, "what is beside"));
    await databases.sql("postgres", "ALTER DATABASE rich IS_TEMPLATE true");
  });
  after(() => postgres.remove());

  const scratch = (client: Client, name: string) => ({
    client,
    owner: `${name}_owner`,
    tracking: { schema: "public", table: "schema_migrations" },
  });
  async function withClient<T>(name: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await databases.admin(name);
    try {
      return await work(client);
    } finally {
      await close(client);
    }
  }
  async function draft(up: string): Promise<ProvenDraft> {
    await databases.sql("postgres", "DROP DATABASE IF EXISTS trial WITH (FORCE)");
    await databases.sql("postgres", "CREATE DATABASE trial TEMPLATE rich OWNER rich_owner");
    return withClient("trial", (client) => draftAndProve(scratch(client, "rich"), up, new Map()));
  }

  for (const [what, up] of Object.entries(ups)) {
    it(`undoes ${what}`, async () => {
      const found = await draft(up);
      const told = found.statements.join(";\n");
      assert.deepEqual([found.failed, found.differences, found.impossible], [undefined, [], []], told);
    });
  }

  it("undoes new operators, casts, collations, text search, publications and servers", async () => {
    const found = await draft(
      beside
        .replaceAll("beside", "more")
        .replaceAll(/\bnews\b/g, "more_news")
        .replaceAll(/\bfar\b/g, "farther"),
    );
    assert.deepEqual([found.failed, found.differences, found.impossible], [undefined, [], []]);
  });

  it("says that operator classes have to be written by hand, and passwords given again", async () => {
    await databases.sql(
      "rich",
      "CREATE OPERATOR FAMILY public.by_hand USING btree; ALTER OPERATOR FAMILY public.by_hand USING btree OWNER TO rich_owner",
    );
    const found = await draft("DROP OPERATOR FAMILY public.by_hand USING btree; DROP SERVER far CASCADE");
    assert.deepEqual(found.impossible, ["other operator family public.by_hand USING btree"]);
    assert.match(found.warnings.join(), /user mappings of server far/);
  });

  it("does not have the server compile what it asks of the catalogue, which takes seconds", async () => {
    await withClient("rich", async (client) => {
      await client.query("SET jit = on");
      const compiled: unknown[] = [];
      const send = client.query.bind(client) as (...of: unknown[]) => Promise<{ rows: { jit?: string }[] }>;
      Reflect.set(client, "query", async (text: string, ...more: unknown[]) => {
        if (text.includes("WITH ns")) compiled.push((await send("SHOW jit")).rows[0]?.jit);
        return send(text, ...more);
      });
      await send("BEGIN");
      await readSnapshot(client, { schema: "public", table: "schema_migrations" });
      assert.deepEqual(compiled, ["off"]);
      assert.equal((await send("SHOW jit")).rows[0]?.jit, "on");
    });
  });

  it("says what it cannot restore", async () => {
    const found = await draft("ALTER TABLE shop.derived NO INHERIT shop.base");
    assert.match(found.differences.join(), /column shop\.derived\.id: integer not null inherited/);
  });
});
