import assert from "node:assert/strict";
import { currentVersions } from "../../operations/migrations/observe.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import type { TestDatabases, TestFolder } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

describe("a registry of Sqitch that several projects share", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let folder: TestFolder;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    folder = await migrationsFolder({
      "sqitch.plan":
        "%syntax-version=1.0.0\n%project=shop\n\ninit 2024-01-01T00:00:00Z A <a@b.c> # i\nmore 2024-01-02T00:00:00Z A <a@b.c> # m\n",
      "deploy/init.sql": "CREATE TABLE items (id int);",
      "revert/init.sql": "DROP TABLE items;",
      "deploy/more.sql": "ALTER TABLE items ADD price int;",
      "revert/more.sql": "ALTER TABLE items DROP price;",
    });
    await databases.create("app");
  });
  after(async () => {
    await folder.remove();
    await postgres.remove();
  });

  const database = () => databaseAt("app", folder.path, "sqitch");
  const to = (version: string): Promise<SchemaResult> =>
    changeSchema(
      { databases: [database()], wanted: new Map([["app", version]]), release: "1.0" },
      databases.open,
    );
  const applied = async () => (await currentVersions(databases.open, [database()])).get("app")?.applied;
  const registered = async () => {
    const rows = await databases.sql("app", "SELECT project, change FROM sqitch.changes ORDER BY 1, 2");
    return rows.map(({ project, change }) => `${String(project)}:${String(change)}`);
  };

  it("is kept for the project of the plan; changes of others, also of the same name, are left alone", async () => {
    await to("init");
    await databases.sql(
      "app",
      `INSERT INTO sqitch.projects (project, creator_name, creator_email) VALUES ('blog', 'b', 'b@c.d');
       INSERT INTO sqitch.changes (change_id, script_hash, change, project, committer_name, committer_email, planned_at, planner_name, planner_email)
       SELECT name || '-id', name || '-hash', name, 'blog', 'b', 'b@c.d', now(), 'b', 'b@c.d' FROM unnest(ARRAY['init', 'posts']) AS name`,
    );
    assert.deepEqual(await applied(), ["init"]);
    await to("more");
    assert.deepEqual(await registered(), ["blog:init", "blog:posts", "shop:init", "shop:more"]);
    await to("0");
    assert.deepEqual(await registered(), ["blog:init", "blog:posts"]);
    assert.deepEqual(await applied(), []);
  });
});
