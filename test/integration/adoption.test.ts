import assert from "node:assert/strict";
import { adoptDatabase } from "../../operations/migrations/adopt.ts";
import type { Adopted } from "../../operations/migrations/adopt.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { SchemaPlan } from "../../operations/migrations/schema-plan.ts";
import { layoutFiles } from "../support/layout-files.ts";
import { shop } from "../support/migration-set.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import type { TestDatabases, TestFolder } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const set = shop.slice(0, 18);
const { files } = layoutFiles["golang-migrate"](set);
/** `default_articles` changes data only: the catalogue is that of the version before it. */
const dataOnly = 1 + set.findIndex(({ name }) => name === "default_articles");

describe("taking over a database that nobody's tool has recorded", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let folder: TestFolder;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    folder = await migrationsFolder(files);
  });
  after(async () => {
    await folder.remove();
    await postgres.remove();
  });

  const byHand = async (count: number): Promise<void> => {
    await databases.create("shop");
    await databases.sql(
      "shop",
      ["SET ROLE shop_owner", ...set.slice(0, count).map(({ up }) => up)].join(";\n"),
    );
  };
  const adopt = (at?: string, despite = false): Promise<Adopted> =>
    adoptDatabase(
      {
        database: databaseAt("shop", folder.path),
        owner: "shop_owner",
        operator: "rollback_operator",
        admin: postgres.server,
        open: databases.open,
      },
      { at, despite, release: "1.0" },
    );
  async function to(version: string): Promise<SchemaPlan | undefined> {
    let plan: SchemaPlan | undefined;
    await changeSchema(
      {
        databases: [databaseAt("shop", folder.path)],
        wanted: new Map([["shop", version]]),
        release: "1.0",
      },
      databases.open,
      { onPlan: (made) => (plan = made) },
    );
    return plan;
  }

  it("is refused before anything stops, as its tables are there and no record is", async () => {
    await byHand(7);
    await assert.rejects(to("7"), /SCHEMA_UNTRACKED.*rollback adopt shop/s);
  });

  it("finds out where it stands on a scratch database, records that and changes nothing else", async () => {
    await byHand(7);
    await databases.sql("shop", "INSERT INTO customers (email) VALUES ('ann@example.org')");
    assert.deepEqual(await adopt(), { version: "7", migrations: 7, differences: [] });
    assert.deepEqual(await databases.sql("shop", "SELECT version::int, dirty FROM schema_migrations"), [
      { version: 7, dirty: false },
    ]);
    assert.deepEqual(await databases.sql("shop", "SELECT count(*)::int AS n FROM customers"), [{ n: 1 }]);
    await to("3");
    await to("9");
    const scratch = await databases.sql(
      "postgres",
      "SELECT datname FROM pg_database WHERE datname LIKE 'rollback_scratch%'",
    );
    assert.deepEqual(scratch, []);
  });

  it("asks which it is where migrations changed data only, and is told", async () => {
    await byHand(dataOnly);
    await assert.rejects(adopt(), new RegExp(`ADOPT_AMBIGUOUS.*${dataOnly - 1}, ${dataOnly}`, "s"));
    assert.equal((await adopt(String(dataOnly))).version, String(dataOnly));
    await assert.rejects(adopt(), /ADOPT_TRACKED/);
  });

  it("shows in what a database differs that is at no version, and takes it over only when told to", async () => {
    await byHand(7);
    await databases.sql("shop", "SET ROLE shop_owner; ALTER TABLE orders ADD COLUMN by_hand int");
    await assert.rejects(adopt(), /ADOPT_NO_MATCH.*nearest is 7.*by_hand/s);
    await assert.rejects(adopt("7"), /ADOPT_DIFFERS.*by_hand/s);
    const adopted = await adopt("7", true);
    assert.match(adopted.differences.join("\n"), /by_hand/);
  });

  it("refuses before anything stops when another role owns what is to be changed, until it is granted", async () => {
    const { tracked } = layoutFiles["golang-migrate"](set);
    await databases.create("shop");
    await databases.sql(
      "shop",
      `DROP ROLE IF EXISTS app; CREATE ROLE app; GRANT CREATE ON DATABASE shop TO app; GRANT ALL ON SCHEMA public TO app; SET ROLE app;
       ${set
         .slice(0, 5)
         .map(({ up }) => up)
         .join(";\n")}; ${tracked(5)}`,
    );
    await assert.rejects(to("3"), /MIGRATION_TRACKING.*GRANT/s);
    await databases.sql("shop", "GRANT SELECT ON schema_migrations TO rollback_operator");
    await assert.rejects(to("3"), /SCHEMA_FOREIGN_OWNER.*belong to app.*GRANT app TO shop_owner/s);
    await databases.sql("shop", "GRANT app TO shop_owner");
    await to("3");
    assert.deepEqual(await databases.sql("shop", "SELECT version::int FROM schema_migrations"), [
      { version: 3 },
    ]);
    await databases.sql("shop", "DROP OWNED BY app CASCADE; DROP ROLE app");
  });

  it("keeps a tracking table in step that is not where the tool has it by default", async () => {
    const named = { ...databaseAt("shop", folder.path), tracking: 'app."My migrations"' };
    const bring = (version: string) =>
      changeSchema(
        { databases: [named], wanted: new Map([["shop", version]]), release: "1.0" },
        databases.open,
      );
    await databases.create("shop");
    await databases.sql(
      "shop",
      `SET ROLE shop_owner; ${set[0]?.up ?? ""} CREATE SCHEMA app;
       CREATE TABLE app."My migrations" (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO app."My migrations" VALUES (1, false)`,
    );
    await bring("4");
    await bring("2");
    const rows = await databases.sql("shop", 'SELECT version::int, dirty FROM app."My migrations"');
    assert.deepEqual(rows, [{ version: 2, dirty: false }]);
    await databases.sql("shop", 'UPDATE app."My migrations" SET dirty = true');
    await assert.rejects(bring("1"), /SCHEMA_DIRTY.*2/s);
  });

  it("says which files are not what another tool had applied, by that tool's own checksums", async () => {
    const flyway = await migrationsFolder(layoutFiles.flyway(set).files);
    try {
      await databases.create("shop");
      await databases.sql(
        "shop",
        `SET ROLE shop_owner; ${set[0]?.up ?? ""} ${layoutFiles.flyway(set).tracked(1)}`,
      );
      let plan: SchemaPlan | undefined;
      await changeSchema(
        { databases: [databaseAt("shop", flyway.path)], wanted: new Map([["shop", "1.1"]]), release: "1.0" },
        databases.open,
        { onPlan: (made) => (plan = made) },
      );
      const notes = plan?.databases.flatMap((each) => each.notes).map(({ code }) => code);
      assert.deepEqual(notes, ["SCHEMA_ADOPTED_EDITED"]);
    } finally {
      await flyway.remove();
    }
  });
});
