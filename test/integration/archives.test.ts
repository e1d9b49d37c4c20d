import assert from "node:assert/strict";
import { close } from "../../operations/database/connection.ts";
import { listArchives } from "../../operations/migrations/archives/list.ts";
import type { Archive } from "../../operations/migrations/archives/list.ts";
import { pruneArchives } from "../../operations/migrations/archives/prune.ts";
import { restoreArchives } from "../../operations/migrations/archives/restore.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt } from "../support/migrations.ts";

const people = `CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
  INSERT INTO people (name) VALUES ('ann'), ('bob'), ('cid');`;

describe("what a reversal took", function () {
  this.timeout(120_000);
  const tests = migrationTests({ files: { "001_people.sql": people } });

  /** Applies a second migration with its reversal, changes the data, takes it back, changes the data, applies it again. */
  async function roundTrip(of: {
    up: string;
    down: string;
    data?: string;
    meanwhile?: string;
  }): Promise<SchemaResult> {
    await tests.folder.write({ "002_change.sql": of.up, "rollback/002_change.sql": of.down });
    await bring("2");
    if (of.data !== undefined) await sql(of.data);
    await bring("1");
    if (of.meanwhile !== undefined) await sql(of.meanwhile);
    return bring("2");
  }
  function bring(version: string): Promise<SchemaResult> {
    const request = {
      databases: [databaseAt("app", tests.folder.path)],
      wanted: new Map([["app", version]]),
      release: "1.0",
    };
    return changeSchema(request, tests.databases.open, { onDifference: "warn" });
  }
  const sql = (text: string) => tests.databases.sql("app", text);
  const outcome = ({ putBack }: SchemaResult) => putBack.map(({ restored }) => restored);
  async function asOperator<T>(
    work: (client: Awaited<ReturnType<typeof tests.databases.open>>) => Promise<T>,
  ) {
    const client = await tests.databases.open("app");
    try {
      return await work(client);
    } finally {
      await close(client);
    }
  }
  const restore = (ids: string[], overwrite = false): Promise<Archive[]> =>
    asOperator((client) => restoreArchives(client, { ids }, { run: "by hand", overwrite }));

  it("comes back with a table when its migration is applied again, the sequence behind the last number", async () => {
    const result = await roundTrip({
      up: `CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TABLE notes (id serial PRIMARY KEY, person int REFERENCES people, mood mood, twice int GENERATED ALWAYS AS (person * 2) STORED);
        CREATE TABLE marks (note int REFERENCES notes, mark text);`,
      down: "DROP TABLE marks; DROP TABLE notes; DROP TYPE mood;",
      data: "INSERT INTO notes (person, mood) VALUES (1, 'good'), (2, 'bad'), (3, NULL); INSERT INTO marks VALUES (1, 'x'), (1, 'x'), (3, NULL)",
    });
    assert.deepEqual(await sql("SELECT * FROM notes ORDER BY id"), [
      { id: 1, person: 1, mood: "good", twice: 2 },
      { id: 2, person: 2, mood: "bad", twice: 4 },
      { id: 3, person: 3, mood: null, twice: 6 },
    ]);
    assert.deepEqual(await sql("SELECT * FROM marks ORDER BY note, mark"), [
      { note: 1, mark: "x" },
      { note: 1, mark: "x" },
      { note: 3, mark: null },
    ]);
    assert.deepEqual(await sql("INSERT INTO notes (person) VALUES (1) RETURNING id"), [{ id: 4 }]);
    assert.deepEqual(
      result.putBack.map(({ source, restored }) => [
        source,
        restored !== undefined && "inserted" in restored && restored.inserted,
      ]),
      [
        ["public.marks", 3],
        ["public.notes", 3],
      ],
    );
  });

  describe("of a column that may not be null", () => {
    const up = `ALTER TABLE people ADD COLUMN mood text CONSTRAINT "Not, null" NOT /* never */ NULL, ADD "Größe" int NOT NULL, ADD CHECK (mood <> '');
      ALTER TABLE people ADD age int; ALTER TABLE people ALTER age SET NOT NULL; CREATE INDEX ON people (mood);`;
    const down = `ALTER TABLE people DROP COLUMN mood, DROP COLUMN "Größe", DROP COLUMN age;`;
    const rows = `INSERT INTO people (name, mood, "Größe", age) SELECT n, 'mood ' || n, 1, 2 FROM unnest('{ann,bob,cid}'::text[]) n`;

    /** The table has no rows when the migration is applied for the first time, and some when it is taken back. */
    async function takenBack(more = ""): Promise<void> {
      await tests.folder.write({
        "001_people.sql": `CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);${more}`,
        "002_change.sql": up,
        "rollback/002_change.sql": down,
      });
      await bring("2");
      await sql(rows);
      await bring("1");
    }

    it("comes back before the column is asked to have no nulls", async () => {
      await takenBack(`CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$never$$; END';
        CREATE TRIGGER never BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION never();`);
      await sql("DELETE FROM people WHERE name = 'bob'");
      await bring("2");
      assert.deepEqual(await sql(`SELECT name, mood, "Größe" AS g, age FROM people ORDER BY id`), [
        { name: "ann", mood: "mood ann", g: 1, age: 2 },
        { name: "cid", mood: "mood cid", g: 1, age: 2 },
      ]);
      assert.deepEqual(
        await sql(
          "SELECT count(*)::int AS n FROM pg_attribute WHERE attrelid = 'people'::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull",
        ),
        [{ n: 5 }],
      );
      // And what was kept of it is down once more.
      await bring("1");
      await bring("2");
    });

    it("is refused before anything stops where a row was written since that has no value, and says which", async () => {
      await takenBack();
      await sql("INSERT INTO people (name) VALUES ('dan'), ('eve')");
      await assert.rejects(
        bring("2"),
        (error) =>
          isRefusal(error, "SCHEMA_VALUES_MISSING") &&
          /app 2 \(up\), line 1: it adds the column mood.* to people, .* 2 of its rows: \{"id":4\}, \{"id":5\}\.[^]*DEFAULT into 002_change\.sql/.test(
            error.message,
          ),
      );
      await tests.folder.write({ "002_change.sql": up.replace("NULL, ADD", "NULL DEFAULT 'none', ADD") });
      await assert.rejects(bring("2"), /the column Größe/);
      await sql("DELETE FROM people WHERE id > 3");
      await bring("2");
      assert.deepEqual(await sql("SELECT min(mood) AS mood FROM people"), [{ mood: "mood ann" }]);
    });

    it("comes back and is counted where the table has no key, by the other columns of each row", async () => {
      await tests.folder.write({
        "001_people.sql":
          "CREATE TABLE visits (who text, at date); CREATE TABLE people (id int PRIMARY KEY);",
        "002_change.sql": "ALTER TABLE visits ADD why text NOT NULL, ADD again bool NOT NULL;",
        "rollback/002_change.sql": "ALTER TABLE visits DROP COLUMN why, DROP COLUMN again;",
      });
      await bring("2");
      await sql(`INSERT INTO visits VALUES ('ann', '2026-01-01', 'tea', true), ('ann', '2026-01-01', 'cake', true),
        ('bob', NULL, 'soup', false)`);
      await bring("1");
      await sql("INSERT INTO visits VALUES ('ann', '2026-01-01'), ('bob', '2026-02-02')");
      await assert.rejects(
        bring("2"),
        (error) =>
          isRefusal(error, "SCHEMA_VALUES_MISSING") &&
          /the column why.* to visits, .* 2 of its rows \(it has no key to name them by\)\./.test(
            error.message,
          ),
      );
      await sql("DELETE FROM visits WHERE at = '2026-02-02'");
      await assert.rejects(bring("2"), /the column why.* 1 of its rows/);
      await sql("DELETE FROM visits WHERE ctid = (SELECT max(ctid) FROM visits WHERE who = 'ann')");
      await bring("2");
      assert.deepEqual(await sql("SELECT who, why, again FROM visits ORDER BY why"), [
        { who: "ann", why: "cake", again: true },
        { who: "bob", why: "soup", again: false },
        { who: "ann", why: "tea", again: true },
      ]);
    });

    it("is refused as well where there never was a value", async () => {
      await bring("1");
      await tests.folder.write({ "002_change.sql": "ALTER TABLE people ADD mood text NOT NULL" });
      await assert.rejects(bring("2"), /SCHEMA_VALUES_MISSING.*no reversal has kept values/s);
      await tests.folder.write({
        "002_change.sql":
          "CREATE DOMAIN calm AS text DEFAULT 'calm'; ALTER TABLE people ADD mood calm NOT NULL",
        "rollback/002_change.sql": "ALTER TABLE people DROP COLUMN mood; DROP DOMAIN calm;",
      });
      await bring("2");
      await bring("1");
      await tests.folder.write({
        "002_change.sql": "DELETE FROM people; ALTER TABLE people ADD mood text NOT NULL",
      });
      await bring("2");
    });
  });

  it("comes back into a column by primary key, for the rows that still exist", async () => {
    const [result] = outcome(
      await roundTrip({
        up: "ALTER TABLE people ADD COLUMN nick text DEFAULT 'none'",
        down: "ALTER TABLE people DROP COLUMN nick",
        data: "UPDATE people SET nick = 'n' || id",
        meanwhile: "DELETE FROM people WHERE id = 2; INSERT INTO people (name) VALUES ('dan')",
      }),
    );
    assert.deepEqual(await sql("SELECT id, nick FROM people ORDER BY id"), [
      { id: 1, nick: "n1" },
      { id: 3, nick: "n3" },
      { id: 4, nick: "none" },
    ]);
    assert.deepEqual(result, { inserted: 0, updated: 2, same: 0, conflicts: 0, gone: 1, examples: [] });
  });

  it("comes back into a column that was converted, except where somebody wrote since", async () => {
    const [result] = outcome(
      await roundTrip({
        up: "ALTER TABLE people ADD COLUMN IF NOT EXISTS age int; ALTER TABLE people ALTER COLUMN age TYPE numeric",
        down: "ALTER TABLE people ALTER COLUMN age TYPE int",
        data: "UPDATE people SET age = id + 0.25",
        meanwhile: "UPDATE people SET age = 77 WHERE id = 3",
      }),
    );
    assert.deepEqual(await sql("SELECT id, age FROM people ORDER BY id"), [
      { id: 1, age: "1.25" },
      { id: 2, age: "2.25" },
      { id: 3, age: "77" },
    ]);
    assert.deepEqual(result, {
      inserted: 0,
      updated: 2,
      same: 0,
      conflicts: 1,
      gone: 0,
      examples: [{ id: 3 }],
    });
  });

  it("comes back where rows were updated, except where somebody wrote since", async () => {
    const result = await roundTrip({
      up: "ALTER TABLE people ALTER COLUMN name DROP NOT NULL; UPDATE people SET name = upper(name)",
      down: "UPDATE people SET name = 'x'; UPDATE people SET name = lower(name); ALTER TABLE people ALTER COLUMN name SET NOT NULL",
      data: "UPDATE people SET name = 'Ann-Sophie' WHERE id = 1",
      meanwhile: "UPDATE people SET name = 'new' WHERE id = 2",
    });
    assert.deepEqual(await sql("SELECT id, name FROM people ORDER BY id"), [
      { id: 1, name: "Ann-Sophie" },
      { id: 2, name: "NEW" },
      { id: 3, name: "CID" },
    ]);
    const conflicts = outcome(result).map(
      (each) => each !== undefined && "conflicts" in each && each.examples,
    );
    assert.deepEqual(conflicts.at(0), [{ id: 2 }]);
  });

  it("comes back for rows that were deleted; a new row under the same key stays as it is", async () => {
    const result = await roundTrip({
      up: "SELECT 1",
      down: "DELETE FROM people WHERE id > 1",
      meanwhile: "INSERT INTO people (id, name) OVERRIDING SYSTEM VALUE VALUES (3, 'eve')",
    });
    assert.deepEqual(await sql("SELECT id, name FROM people ORDER BY id"), [
      { id: 1, name: "ann" },
      { id: 2, name: "bob" },
      { id: 3, name: "eve" },
    ]);
    assert.deepEqual(outcome(result), [
      { inserted: 1, updated: 0, same: 0, conflicts: 1, gone: 0, examples: [{ id: 3 }] },
    ]);
    const [archive] = result.putBack;
    assert.ok(archive);
    await restore([archive.id], true);
    assert.deepEqual(await sql("SELECT name FROM people WHERE id = 3"), [{ name: "cid" }]);
  });

  it("comes back past triggers and forced policies, and leaves both as they were", async () => {
    await roundTrip({
      up: `CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'LOUD'; RETURN NEW; END $$;
        CREATE TABLE pets (id int PRIMARY KEY, name text); CREATE TRIGGER loud BEFORE INSERT ON pets FOR EACH ROW EXECUTE FUNCTION loud();
        ALTER TABLE pets ENABLE ROW LEVEL SECURITY; ALTER TABLE pets FORCE ROW LEVEL SECURITY; CREATE POLICY none ON pets USING (false);`,
      down: "DROP TABLE pets; DROP FUNCTION loud()",
      data: "ALTER TABLE pets DISABLE TRIGGER loud; INSERT INTO pets VALUES (1, 'rex'); ALTER TABLE pets ENABLE TRIGGER loud",
    });
    assert.deepEqual(await sql("SELECT name FROM pets"), [{ name: "rex" }]);
    assert.deepEqual(
      await sql(
        "SELECT relforcerowsecurity AS forced, tgenabled AS enabled FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE tgname = 'loud'",
      ),
      [{ forced: true, enabled: "O" }],
    );
  });

  it("comes back without a key, by the columns that were not changed", async () => {
    const kept = "SELECT place, day, nick, mood FROM visits ORDER BY place, day, nick";
    const up = `ALTER TABLE visits ADD COLUMN nick text; ALTER TABLE visits ALTER COLUMN mood TYPE text`;
    await tests.folder.write({
      "001_people.sql": `CREATE TABLE visits (place text, day int, mood varchar(9));
        INSERT INTO visits SELECT 'p' || n % 3, n / 3, 'm' || n FROM generate_series(1, 9) AS n; INSERT INTO visits VALUES ('p0', 1, 'm3'), (NULL, NULL, NULL)`,
    });
    await tests.folder.write({ "002_change.sql": up });
    await tests.folder.write({
      "rollback/002_change.sql": `UPDATE visits SET day = 0 WHERE day < 3; ALTER TABLE visits ALTER COLUMN mood TYPE varchar(9) USING 'none';
        ALTER TABLE visits DROP COLUMN nick; DELETE FROM visits WHERE place = 'p1'`,
    });
    await bring("2");
    await sql("UPDATE visits SET nick = place || '/' || coalesce(day, 0)");
    const there = await sql(kept);
    await bring("1");
    assert.equal((await sql("SELECT FROM visits WHERE mood = 'none'")).length, 8);
    await bring("2");
    assert.deepEqual(await sql(kept), there);
  });

  it("comes back without a key, except where somebody wrote since", async () => {
    await tests.folder.write({
      "001_people.sql":
        "CREATE TABLE tags (tag text, weight int); INSERT INTO tags VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4)",
    });
    const [result] = outcome(
      await roundTrip({
        up: "SELECT 1",
        down: "UPDATE tags SET weight = 0",
        meanwhile: "UPDATE tags SET weight = 9 WHERE tag = 'b'; DELETE FROM tags WHERE tag = 'c'",
      }),
    );
    assert.deepEqual(await sql("SELECT tag, weight FROM tags ORDER BY tag"), [
      { tag: "a", weight: 1 },
      { tag: "b", weight: 9 },
      { tag: "d", weight: 4 },
    ]);
    assert.deepEqual(result, { inserted: 0, updated: 2, same: 0, conflicts: 1, gone: 1, examples: [{}] });
  });

  it("says that it cannot come back where every column was changed and there is no key", async () => {
    await tests.folder.write({
      "001_people.sql": "CREATE TABLE words (word text); INSERT INTO words VALUES ('a'), ('b')",
    });
    const [result] = outcome(await roundTrip({ up: "SELECT 1", down: "UPDATE words SET word = 'x'" }));
    assert.ok(result !== undefined && "problem" in result);
    assert.match(result.problem, /neither a key nor other columns/);
  });

  it("comes back where a deleted row had taken a reference along", async () => {
    await tests.folder.write({
      "001_people.sql": `CREATE TABLE teams (id int PRIMARY KEY); INSERT INTO teams VALUES (1), (2);
        CREATE TABLE players (id int PRIMARY KEY, team int REFERENCES teams ON DELETE SET NULL); INSERT INTO players VALUES (1, 1), (2, 2), (3, 2);`,
    });
    await roundTrip({
      up: "SELECT 1",
      down: "DELETE FROM teams",
      meanwhile: "DELETE FROM players WHERE id = 3",
    });
    assert.deepEqual(await sql("SELECT * FROM players ORDER BY id"), [
      { id: 1, team: 1 },
      { id: 2, team: 2 },
    ]);
  });

  it("comes back into a column whose name another one had meanwhile", async () => {
    await roundTrip({
      up: "ALTER TABLE people RENAME COLUMN name TO title; ALTER TABLE people ADD COLUMN name text",
      down: "ALTER TABLE people DROP COLUMN name; ALTER TABLE people RENAME COLUMN title TO name",
      data: "UPDATE people SET name = 'n' || id WHERE id < 3",
    });
    assert.deepEqual(await sql("SELECT title, name FROM people ORDER BY id"), [
      { title: "ann", name: "n1" },
      { title: "bob", name: "n2" },
      { title: "cid", name: null },
    ]);
  });

  it("comes back beside rows that the migration makes anew, which are conflicts", async () => {
    const result = await roundTrip({
      up: "CREATE TABLE totals (id serial PRIMARY KEY, person int UNIQUE REFERENCES people, n int); INSERT INTO totals (person, n) SELECT id, 0 FROM people",
      down: "DROP TABLE totals",
      data: "UPDATE totals SET id = id + 10, n = 5; INSERT INTO people (name) VALUES ('dan'); INSERT INTO totals (id, person, n) VALUES (20, 4, 7)",
      meanwhile:
        "DELETE FROM people WHERE id = 4; INSERT INTO people (id, name) OVERRIDING SYSTEM VALUE VALUES (4, 'eve')",
    });
    const [outcomeOf] = outcome(result);
    assert.deepEqual(outcomeOf, { inserted: 0, updated: 0, same: 0, conflicts: 4, gone: 0, examples: [] });
    assert.equal((await sql("SELECT FROM totals")).length, 4);
  });

  it("comes back where triggers changed rows of other tables", async () => {
    await tests.folder.write({
      "001_people.sql": `CREATE TABLE items (id int PRIMARY KEY, price int); INSERT INTO items VALUES (1, 10), (2, 20);
        CREATE TABLE "Sum-Of" (id int PRIMARY KEY, total int); INSERT INTO "Sum-Of" VALUES (1, 30);
        CREATE FUNCTION sums() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE "Sum-Of" SET total = (SELECT sum(price) FROM items); RETURN NULL; END $$;
        CREATE TRIGGER sums AFTER UPDATE OR DELETE ON items FOR EACH STATEMENT EXECUTE FUNCTION sums();`,
    });
    await tests.folder.write({
      "002_change.sql": "SELECT 1",
      "rollback/002_change.sql": "UPDATE items SET price = 0",
    });
    await bring("2");
    const { archived } = await bring("1");
    assert.deepEqual(archived.map(({ source, rows }) => [source, rows]).sort(), [
      ["public.Sum-Of", 1],
      ["public.items", 2],
    ]);
    await bring("2");
    assert.deepEqual(await sql('SELECT total FROM "Sum-Of"'), [{ total: 30 }]);
    assert.deepEqual(await sql("SELECT price FROM items ORDER BY id"), [{ price: 10 }, { price: 20 }]);
  });

  it("comes back where rows of several tables refer to each other in a circle, the foreign keys as they were", async () => {
    const result = await roundTrip({
      up: `CREATE TABLE heads (id int PRIMARY KEY, team int NOT NULL);
        CREATE TABLE teams (id int PRIMARY KEY, head int NOT NULL REFERENCES heads, parent int REFERENCES teams);
        ALTER TABLE heads ADD FOREIGN KEY (team) REFERENCES teams;
        CREATE TABLE shifts (team int REFERENCES teams, n int);
        CREATE TABLE strays (person int REFERENCES people ON DELETE CASCADE, n int PRIMARY KEY);`,
      down: "DROP TABLE strays; DROP TABLE shifts; DROP TABLE heads, teams",
      data: `ALTER TABLE heads ALTER CONSTRAINT heads_team_fkey DEFERRABLE; BEGIN; SET CONSTRAINTS ALL DEFERRED;
        INSERT INTO heads VALUES (1, 1), (2, 2); INSERT INTO teams VALUES (1, 1, 2), (2, 2, 1); COMMIT;
        ALTER TABLE heads ALTER CONSTRAINT heads_team_fkey NOT DEFERRABLE;
        INSERT INTO shifts VALUES (1, 7), (2, 8); INSERT INTO strays VALUES (1, 1), (2, 2);`,
      meanwhile: "DELETE FROM people WHERE id = 2",
    });
    assert.deepEqual(await sql("SELECT * FROM teams ORDER BY id"), [
      { id: 1, head: 1, parent: 2 },
      { id: 2, head: 2, parent: 1 },
    ]);
    assert.deepEqual(await sql("SELECT * FROM shifts ORDER BY n"), [
      { team: 1, n: 7 },
      { team: 2, n: 8 },
    ]);
    const problems = result.putBack.flatMap(({ source, restored }) =>
      restored !== undefined && "problem" in restored ? [source] : [],
    );
    assert.deepEqual(problems, ["public.strays"]);
    assert.deepEqual(await sql("SELECT FROM pg_constraint WHERE condeferrable"), []);
  });

  it("tells by command what it would do, does it, and is removed on purpose only", async () => {
    await tests.folder.write({ "002_change.sql": "SELECT 1", "rollback/002_change.sql": "TRUNCATE people" });
    await bring("2");
    await bring("1");
    const [archive] = await asOperator((client) => listArchives(client, { migration: "2" }));
    assert.ok(archive);
    const trial = await asOperator((client) =>
      restoreArchives(client, { ids: [archive.id] }, { run: "trial", dryRun: true }),
    );
    assert.deepEqual(
      [trial[0]?.restored, await sql("SELECT FROM people")],
      [{ inserted: 3, updated: 0, same: 0, conflicts: 0, gone: 0, examples: [] }, []],
    );
    await restore([archive.id]);
    assert.equal((await sql("SELECT FROM people")).length, 3);
    await asOperator((client) => pruneArchives(client, { ids: [archive.id] }, { run: "by hand" }));
    assert.deepEqual(await asOperator((client) => listArchives(client)), []);
    await assert.rejects(restore([archive.id]), (error) => isRefusal(error, "ARCHIVE_UNKNOWN"));
  });
});
