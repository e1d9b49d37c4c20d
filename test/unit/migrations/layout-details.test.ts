import assert from "node:assert/strict";
import { readFolder, readMigrations } from "../../../operations/migrations/layouts/index.ts";
import type { Migration } from "../../../operations/migrations/types.ts";
import type { Layout } from "../../../settings/types.ts";
import { databaseAt, migrationsFolder } from "../../support/migrations.ts";

async function read(layout: Layout, files: Record<string, string>): Promise<Migration[]> {
  const folder = await migrationsFolder(files);
  try {
    return await readMigrations(databaseAt("app", folder.path, layout));
  } finally {
    await folder.remove();
  }
}
async function first(layout: Layout, files: Record<string, string>): Promise<Migration> {
  const [migration] = await read(layout, files);
  assert.ok(migration !== undefined);
  return migration;
}
const words = (text: string | undefined) => text?.replaceAll(/\s+/g, " ").trim();

describe("goose", () => {
  it("ends a statement where its marker does, also without a semicolon, and knows markers in any case", async () => {
    const { up, down, transactional } = await first("goose", {
      "1_a.sql":
        "-- +goose NO TRANSACTION\n-- +goose UP\n-- +goose StatementBegin\nDO $$ BEGIN END $$\n-- +goose StatementEnd\nSELECT 1;\n-- +goose down\nSELECT 2;\n",
    });
    assert.equal(words(up), "-- +goose StatementBegin DO $$ BEGIN END $$ ; SELECT 1;");
    assert.deepEqual([words(down), transactional], ["SELECT 2;", false]);
  });

  it("leaves Go code and values from the environment to the tool", async () => {
    const [code, variables, none] = await read("goose", {
      "1_a.go": "package migrations",
      "1_a_test.go": "package migrations",
      "2_b.sql": "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '${REGION}';\n",
      "3_c.sql": "-- +goose ENVSUB ON\n-- +goose Up\nSELECT 1;\n",
    });
    assert.match(code?.foreign ?? "", /Go code/);
    assert.match(variables?.foreign ?? "", /ENVSUB\): \$\{REGION\}$/);
    assert.equal(none?.foreign, undefined);
  });

  it("refuses what the tool refuses: statements before Up, Up twice", async () => {
    await assert.rejects(
      first("goose", { "1_a.sql": "SELECT 1;\n-- +goose Up\n" }),
      /MIGRATION_FORMAT.*before/s,
    );
    await assert.rejects(
      first("goose", { "1_a.sql": "-- +goose Up\n-- +goose Up\n" }),
      /MIGRATION_FORMAT.*more than one/s,
    );
  });
});

describe("golang-migrate", () => {
  it("leaves code that follows its naming to the tool", async () => {
    const [go, sql] = await read("golang-migrate", {
      "1_a.up.go": "package migrations",
      "1_a.down.go": "package migrations",
      "2_b.up.sql": "SELECT 1",
      "2_b.down.go": "package migrations",
    });
    assert.match(go?.foreign ?? "", /no SQL, but \.go/);
    assert.deepEqual([go?.up, go?.down, sql?.foreign, sql?.down], ["", undefined, undefined, undefined]);
  });
});

describe("sql-migrate, dbmate and node-pg-migrate", () => {
  it("refuse an option of dbmate that they do not know", async () => {
    const text = "-- migrate:up transaction:false lock:none\nSELECT 1;\n";
    await assert.rejects(first("dbmate", { "1_a.sql": text }), /MIGRATION_FORMAT.*lock:none/s);
  });

  it("know their options, and directions that come more than once or not at all", async () => {
    const sql = await first("sql-migrate", {
      "9_a.sql": "-- +migrate Up notransaction\nSELECT 1;\n-- +migrate Down\nSELECT 2;\n",
    });
    assert.deepEqual([words(sql.up), words(sql.down), sql.transactional], ["SELECT 1;", "SELECT 2;", false]);
    const dbmate = await first("dbmate", {
      "2024_a.sql":
        "-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;\n-- migrate:up\nSELECT 3;\n-- migrate:down\nSELECT 4;\n",
    });
    assert.deepEqual([words(dbmate.up), words(dbmate.down)], ["SELECT 1; SELECT 3;", "SELECT 4; SELECT 2;"]);
    assert.equal(dbmate.transactional, false);
    const [plain, code] = await read("node-pg-migrate", { "1_a.sql": "SELECT 1;", "2_b.js": "" });
    assert.deepEqual([plain?.up, plain?.down], ["SELECT 1;", undefined]);
    assert.match(code?.foreign ?? "", /JavaScript/);
  });

  it("sort as the tools do: numbers by value, dates of node-pg-migrate by their time", async () => {
    const file = "-- +migrate Up\nSELECT 1;\n";
    const ids = await read("sql-migrate", {
      "10_b.sql": file,
      "9_a.sql": file,
      "zz.sql": file,
      "9_c.sql": file,
    });
    assert.deepEqual(
      ids.map(({ version }) => version),
      ["9_a", "9_c", "10_b", "zz"],
    );
    const names = await read("node-pg-migrate", { "20240102030405000_b.sql": "", "1600000000000_a.sql": "" });
    assert.deepEqual(
      names.map(({ name }) => name),
      ["a", "b"],
    );
  });
});

describe("diesel", () => {
  it("reads the version from the folder and the transaction from metadata.toml", async () => {
    const [initial, later] = await read("diesel", {
      "00000000000000_diesel_initial_setup/up.sql": "SELECT 1",
      "00000000000000_diesel_initial_setup/down.sql": "SELECT 2",
      "2024-01-02-030405_b/up.sql": "SELECT 3",
      "2024-01-02-030405_b/metadata.toml": "run_in_transaction = false\n",
      ".diesel_lock": "",
    });
    assert.deepEqual(
      [initial?.version, initial?.name, initial?.transactional],
      ["00000000000000", "diesel_initial_setup", true],
    );
    assert.deepEqual(
      [later?.version, later?.down, later?.transactional],
      ["20240102030405", undefined, false],
    );
  });
});

describe("Flyway", () => {
  it("orders versions part by part, pairs their spellings, and computes its checksum", async () => {
    const text = "CREATE TABLE a (\n  id int\n);\n";
    const all = await read("flyway", {
      "V1_10__ten.sql": "SELECT 10",
      "V1.2__two.sql": text.replaceAll("\n", "\r\n"),
      "sub/U1_02.0__back.sql": "DROP TABLE a",
      "V2__c.java": "class V2__c {}",
    });
    assert.deepEqual(
      all.map(({ version }) => version),
      ["1.2", "1.10", "2"],
    );
    assert.deepEqual([all[0]?.down, all[0]?.recorded], ["DROP TABLE a", "1420201952"]);
    assert.match(all[2]?.foreign ?? "", /Java/);
  });

  it("leaves repeatable migrations and callbacks to the tool, and says so", async () => {
    const folder = await migrationsFolder({
      "V1__a.sql": "",
      "views/R__totals.sql": "",
      "afterMigrate.sql": "",
      "notes.sql": "",
    });
    try {
      const database = databaseAt("app", folder.path);
      const { files, aside } = await readFolder(database);
      assert.equal(files.length, 1);
      assert.deepEqual(aside, ["afterMigrate.sql", "views/R__totals.sql"]);
    } finally {
      await folder.remove();
    }
  });

  it("leaves placeholders to the tool, and refuses an undo of nothing", async () => {
    const given = { "V1__a.sql": "SELECT '${env}', '${env}', '${to}'" };
    assert.match((await first("flyway", given)).foreign ?? "", /placeholders.*: \$\{env\}, \$\{to\}$/);
    const kept = { ...given, "V1__a.sql.conf": "placeholderReplacement=false\n" };
    assert.equal((await first("flyway", kept)).foreign, undefined);
    await assert.rejects(
      read("flyway", { "V1__a.sql": "", "U2__b.sql": "" }),
      /MIGRATION_UP_MISSING.*U2__b/s,
    );
  });
});

describe("graphile-migrate and Atlas", () => {
  it("read a reversal from beside their own files, which the tools do not look at", async () => {
    const body = "SELECT 1;\n";
    const header = "--! Previous: -\n--! Hash: sha1:d30d858bf9fa5d8979af2d32c3be5e09b07da877\n\n";
    const graphile = await first("graphile-migrate", {
      "committed/000001-a.sql": header + body,
      "current.sql": "SELECT 9;",
      "rollback/000001.sql": "SELECT 2;",
    });
    assert.deepEqual([words(graphile.up), graphile.down], ["SELECT 1;", "SELECT 2;"]);
    await assert.rejects(
      first("graphile-migrate", { "committed/000001-a.sql": `${header}SELECT 3;\n` }),
      /MIGRATION_FORMAT.*hash is another/s,
    );
    const atlas = await first("atlas", {
      "20240102_a.sql": "-- atlas:txmode none\n\nSELECT 1;",
      "rollback/20240102_a.sql": "SELECT 2;",
      "atlas.sum": "h1:x=\n20240102_a.sql h1:sum=\n",
    });
    assert.deepEqual([atlas.down, atlas.transactional, atlas.recorded], ["SELECT 2;", false, "sum="]);
  });
});

describe("Sqitch", () => {
  // The plan was written by Sqitch 1.3.1 and deployed by it; the ids are those that it recorded.
  const plan = `%syntax-version=1.0.0
%project=shop
%uri=https://example.org/shop/

base 2026-11-25T06:54:24Z root <root@vm> # the base
users [base] 2026-11-25T06:54:25Z root <root@vm> # creates users\\nand more
@v1.0 2026-11-25T06:54:25Z root <root@vm> # first

lists [users !old] 2026-11-25T06:54:26Z root <root@vm> # ünïcode
@v1.1 2026-11-25T06:54:26Z root <root@vm> # second
users [users@v1.1 lists] 2026-11-25T06:54:26Z root <root@vm> # reworked
`;
  const scripts = (folder: string) =>
    Object.fromEntries(
      ["base", "users@v1.1", "lists", "users"].map((name) => [`${folder}deploy/${name}.sql`, `-- ${name}`]),
    );

  it("knows changes by the ids that Sqitch gives them, and the scripts of a reworked one", async () => {
    const all = await read("sqitch", { "sqitch.plan": plan, ...scripts("") });
    assert.deepEqual(
      all.map(({ version, up }) => [version, up]),
      [
        ["base", "-- base"],
        ["users", "-- users@v1.1"],
        ["lists", "-- lists"],
        ["users#2", "-- users"],
      ],
    );
    const ids = all.map(
      ({ facts }) => /"id":"(\w+)"/.exec(facts?.["change"]?.replace(/^.*?"note"/, "") ?? "")?.[1],
    );
    assert.deepEqual(ids, [
      "f9c87d25f187ff9bcaef8d412ce9e282684d20a3",
      "e2d6434c3d9951d418f8e853ada577d7d6941866",
      "4e8d2ea06516eac4ffb4fe5c4c0356f32e68198f",
      "e3312cea6e3331c5e5239419623d85c6254db622",
    ]);
  });

  it("looks where sqitch.conf says, and fills in the variables that it sets", async () => {
    const [base] = await read("sqitch", {
      "sqitch.conf": '[core]\n\tengine = pg\n\ttop_dir = db\n[deploy "variables"]\n\tschema = My App\n',
      "db/sqitch.plan": plan,
      ...scripts("db/"),
      "db/deploy/base.sql": 'CREATE SCHEMA :"schema";',
      "db/revert/base.sql": 'DROP SCHEMA :"schema";',
    });
    assert.deepEqual([base?.up, base?.down], ['CREATE SCHEMA "My App";', 'DROP SCHEMA "My App";']);
  });

  it("refuses a plan whose scripts are not there, and one that it does not understand", async () => {
    await assert.rejects(read("sqitch", { "sqitch.plan": plan }), /MIGRATION_FORMAT.*deploy\/base\.sql/s);
    await assert.rejects(
      read("sqitch", { "sqitch.plan": "%project=a\nwhat is this\n" }),
      /MIGRATION_FORMAT.*line 2/s,
    );
  });
});
