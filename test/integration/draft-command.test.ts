import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { seedMealPlanner, sizeTimes } from "../../examples/meal-planner/seed.ts";
import { close } from "../../operations/database/connection.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import { draftReversal, writeDraft } from "../../operations/migrations/drafting/draft.ts";
import type { Draft } from "../../operations/migrations/drafting/draft.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { Database, Layout } from "../../settings/types.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt } from "../support/migrations.ts";

const example = join(import.meta.dirname, "../../examples/meal-planner/migrations/meal_planner");

describe("a drafted reversal", function () {
  this.timeout(120_000);
  const tests = migrationTests({});

  const at = (layout: Layout = "meal-planner"): Database => databaseAt("app", tests.folder.path, layout);
  function bring(version: string, layout?: Layout): Promise<SchemaResult> {
    const request = {
      databases: [at(layout)],
      wanted: new Map([["app", version]]),
      release: "1.0",
    };
    return changeSchema(request, tests.databases.open);
  }
  const draft = (version: string, layout?: Layout): Promise<Draft> =>
    draftReversal({ server: tests.postgres.server, database: at(layout), owner: "app_owner", version });
  const sql = (text: string) => tests.databases.sql("app", text);

  it("brings back what 020 of the Meal Planner dropped, but for the rows, and says so", async () => {
    await cp(example, tests.folder.path, { recursive: true });
    await bring("19");
    const client = await tests.databases.admin("app");
    try {
      await seedMealPlanner(client, sizeTimes(0.01));
    } finally {
      await close(client);
    }
    await sql("SELECT setval('recipes_simplified_id_seq', 4711)");
    await bring("23");
    const made = await draft("20");
    assert.equal(made.proven, true, made.text);
    assert.match(made.text, /^-- Reversal of 20 drop_recipes_simplified_table, drafted/);
    assert.match(made.text, /the rows of public\.recipes_simplified/);
    assert.match(made.text, /setval\('public\.recipes_simplified_id_seq', 4711/);
    assert.equal(made.file, "rollback/020_drop_recipes_simplified_table.sql");
    await writeDraft(at(), made);
    await bring("19");
    assert.deepEqual(await sql("SELECT nextval('recipes_simplified_id_seq')::int AS n"), [{ n: 4712 }]);
    await bring("23");
    await assert.rejects(writeDraft(at(), made), (error) => isRefusal(error, "DRAFT_EXISTS"));
  });

  it("is made from what was captured where the history cannot be run again", async () => {
    await tests.folder.write({
      "001_first.sql":
        "CREATE TABLE a (id serial PRIMARY KEY, b text DEFAULT 'x'); CREATE VIEW v AS SELECT b FROM a; INSERT INTO a VALUES (1)",
      "002_needs_rows.sql": "SELECT 1 / count(*) FROM a",
      "003_drop.sql": "DROP TABLE a CASCADE; CREATE TABLE c ()",
    });
    await sql("SET ROLE app_owner; CREATE TABLE before_all (id int)");
    await bring("3");
    await tests.folder.write({ "001_first.sql": "CREATE TABLE a (id int)" });
    await sql("UPDATE rollback.migration SET up = 'SELECT 1 / 0' WHERE version = '1'");
    const made = await draft("3");
    assert.equal(made.proven, true, made.text);
    await writeDraft(at(), made);
    await bring("2");
    assert.deepEqual(await sql("SELECT count(*)::int AS n FROM pg_class WHERE relname IN ('a', 'v', 'c')"), [
      { n: 2 },
    ]);
  });

  it("says that it is not proven where the migrations lead elsewhere than when it was applied", async () => {
    await tests.folder.write({
      "001_a.sql": "CREATE TABLE a (id int, x int)",
      "002_b.sql": "ALTER TABLE a ADD COLUMN n int",
      "rollback/002_b.sql": "ALTER TABLE a DROP COLUMN n",
    });
    await bring("1");
    await sql("ALTER TABLE a DROP COLUMN x; UPDATE rollback.catalogue SET fingerprint = '', mark = ''");
    await bring("2");
    const made = await draft("2");
    assert.deepEqual([made.proven, made.failed, made.differences], [false, undefined, []]);
    assert.match(
      made.text,
      /NOT PROVEN:\n-- {3}the migrations before it lead to another schema than the one recorded/,
    );
    assert.doesNotMatch(made.text, /Proven on|brings back everything/);
  });

  it("is made for a file that nothing has applied yet", async () => {
    await tests.folder.write({
      "001_first.sql": "CREATE TABLE a (id int)",
      "002_more.sql": "ALTER TABLE a ADD COLUMN b int; UPDATE a SET id = 1",
    });
    const made = await draft("2");
    assert.match(made.text, /ALTER TABLE public\.a DROP COLUMN b;/);
    assert.match(made.text, /rows of a that line 1 of the migration updated/);
  });

  it("is refused for a migration that changes rows only", async () => {
    await tests.folder.write({
      "001_first.sql": "CREATE TABLE a (id int)",
      "002_rows.sql": "INSERT INTO a VALUES (1)",
    });
    await assert.rejects(draft("2"), (error) => isRefusal(error, "DRAFT_EMPTY"));
  });

  const up = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;`;
  const drop = "DROP FUNCTION f()";
  const wrapped = (tool: string, text: string) =>
    `-- +${tool} StatementBegin\n${text}\n-- +${tool} StatementEnd\n`;
  const sha1 = (previous: string, text: string) =>
    `sha1:${createHash("sha1")
      .update(`${`${previous === "-" ? "" : previous}\n${text}`.trim()}\n`)
      .digest("hex")}`;
  const committed = (previous: string, text: string) =>
    `--! Previous: ${previous}\n--! Hash: ${sha1(previous, text)}\n\n${text}\n`;
  const inLayouts: readonly { layout: Layout; files: Record<string, string>; version: string; to: string }[] =
    [
      {
        layout: "golang-migrate",
        version: "2",
        to: "1",
        files: { "1_f.up.sql": up, "1_f.down.sql": drop, "2_g.up.sql": drop },
      },
      {
        layout: "dbmate",
        version: "2",
        to: "1",
        files: {
          "1_f.sql": `-- migrate:up\n${up}\n-- migrate:down\n${drop}`,
          "2_g.sql": `-- migrate:up\n${drop};\n`,
        },
      },
      {
        layout: "diesel",
        version: "2",
        to: "1",
        files: { "1_f/up.sql": up, "1_f/down.sql": drop, "2_g/up.sql": drop },
      },
      { layout: "flyway", version: "2", to: "1", files: { "V1__f.sql": up, "V2__g.sql": drop } },
      {
        layout: "goose",
        version: "2",
        to: "1",
        files: { "1_f.sql": `-- +goose Up\n${wrapped("goose", up)}`, "2_g.sql": `-- +goose Up\n${drop};\n` },
      },
      {
        layout: "node-pg-migrate",
        version: "2_g",
        to: "1_f",
        files: { "1_f.sql": `-- Up Migration\n${up}\n`, "2_g.sql": `-- Up Migration\n${drop};` },
      },
      {
        layout: "sql-migrate",
        version: "2_g",
        to: "1_f",
        files: {
          "1_f.sql": `-- +migrate Up\n${wrapped("migrate", up)}`,
          "2_g.sql": `-- +migrate Up\n${drop};\n`,
        },
      },
      {
        layout: "graphile-migrate",
        version: "2",
        to: "1",
        files: {
          "committed/000001-f.sql": committed("-", up),
          "committed/000002-g.sql": committed(sha1("-", up), `${drop};`),
        },
      },
      {
        layout: "atlas",
        version: "2",
        to: "1",
        files: { "1_f.sql": up, "2_g.sql": `${drop};`, "atlas.sum": "h1:x=\n" },
      },
      {
        layout: "sqitch",
        version: "g",
        to: "f",
        files: {
          "sqitch.plan":
            "%syntax-version=1.0.0\n%project=p\n\nf 2024-01-01T00:00:00Z A <a@b.c> # f\ng 2024-01-02T00:00:00Z A <a@b.c> # g\n",
          "deploy/f.sql": up,
          "deploy/g.sql": drop,
        },
      },
    ];
  for (const { layout, files, version, to } of inLayouts) {
    it(`goes where ${layout} looks for it, and is what is run`, async () => {
      await tests.folder.write(files);
      await bring(version, layout);
      const made = await draft(version, layout);
      const path = await writeDraft(at(layout), made);
      assert.match(await readFile(path, "utf8"), /CREATE OR REPLACE FUNCTION public\.f\(\)/);
      await bring(to, layout);
      assert.deepEqual(await sql("SELECT count(*)::int AS n FROM pg_proc WHERE proname = 'f'"), [{ n: 1 }]);
    });
  }
});
