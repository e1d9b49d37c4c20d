import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const plan = `%syntax-version=1.0.0
%project=app

meals 2026-01-01T00:00:00Z A <a@example.org> # a table
plates 2026-01-02T00:00:00Z A <a@example.org> # another
`;

describe("verify scripts of Sqitch", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;

  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  it("run inside the transaction, leave nothing behind, and take everything back when they fail", async () => {
    const databases = await testDatabases(postgres);
    await databases.create("app");
    const folder = await migrationsFolder({
      "sqitch.plan": plan,
      "sqitch.conf": "[core]\n\tengine = pg\n",
      "deploy/meals.sql": "BEGIN;\nCREATE TABLE meals (id int);\nCOMMIT;\n",
      "revert/meals.sql": "DROP TABLE meals;",
      "verify/meals.sql":
        "BEGIN;\nINSERT INTO meals VALUES (1);\nSELECT 1 / count(*) FROM meals;\nROLLBACK;\n",
      "deploy/plates.sql": "CREATE TABLE plates (id int);",
      "revert/plates.sql": "DROP TABLE plates;",
      "verify/plates.sql": "SELECT missing FROM plates;",
    });
    const bring = (version: string) =>
      changeSchema(
        {
          databases: [databaseAt("app", folder.path, "sqitch")],
          wanted: new Map([["app", version]]),
          release: "1.0",
        },
        databases.open,
      );
    try {
      await bring("meals");
      assert.deepEqual(await databases.sql("app", "SELECT * FROM meals"), []);
      await assert.rejects(bring("plates"), (error) => isRefusal(error, "SCHEMA_STEP_FAILED"));
      assert.deepEqual(await databases.sql("app", "SELECT to_regclass('plates') AS t"), [{ t: null }]);
      await folder.write({ "verify/plates.sql": "SELECT id FROM plates;" });
      await bring("plates");
    } finally {
      await folder.remove();
    }
  });
});
