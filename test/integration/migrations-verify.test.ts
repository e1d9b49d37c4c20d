import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt, migrationsFolder } from "../support/migrations.ts";

const plan = `%syntax-version=1.0.0
%project=app

meals 2026-01-01T00:00:00Z A <a@example.org> # a table
plates 2026-01-02T00:00:00Z A <a@example.org> # another
`;

describe("verify scripts of Sqitch", function () {
  this.timeout(60_000);
  const tests = migrationTests();

  it("run inside the transaction, leave nothing behind, and take everything back when they fail", async () => {
    await tests.databases.create("app");
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
        tests.databases.open,
      );
    try {
      await bring("meals");
      assert.deepEqual(await tests.databases.sql("app", "SELECT * FROM meals"), []);
      await assert.rejects(bring("plates"), (error) => isRefusal(error, "SCHEMA_STEP_FAILED"));
      assert.deepEqual(await tests.databases.sql("app", "SELECT to_regclass('plates') AS t"), [{ t: null }]);
      await folder.write({ "verify/plates.sql": "SELECT id FROM plates;" });
      await bring("plates");
    } finally {
      await folder.remove();
    }
  });

  it("of the version gone back to runs after a reversal, as it was stored, and takes it back when it fails", async () => {
    await tests.databases.create("app");
    const folder = await migrationsFolder({
      "sqitch.plan": plan,
      "sqitch.conf": "[core]\n\tengine = pg\n",
      "deploy/meals.sql": "CREATE TABLE meals (id int); INSERT INTO meals VALUES (1);",
      "revert/meals.sql": "DROP TABLE meals;",
      "verify/meals.sql":
        "BEGIN;\nINSERT INTO meals VALUES (2);\nSELECT 1 / (count(*) - 1) FROM meals;\nROLLBACK;\n",
      "deploy/plates.sql": "CREATE TABLE plates (id int);",
      "revert/plates.sql": "DROP TABLE plates; DELETE FROM meals;",
    });
    const warned: string[] = [];
    const bring = (version: string, onDifference: "refuse" | "warn" = "refuse") =>
      changeSchema(
        {
          databases: [databaseAt("app", folder.path, "sqitch")],
          wanted: new Map([["app", version]]),
          release: "1.0",
        },
        tests.databases.open,
        { onDifference, warn: (text) => void warned.push(text) },
      );
    const rows = () =>
      tests.databases.sql("app", "SELECT id, to_regclass('plates') IS NOT NULL AS plates FROM meals");
    try {
      await bring("plates");
      // What was stored counts, whatever the file says by now.
      await folder.write({ "verify/meals.sql": "SELECT 1;" });
      await assert.rejects(bring("meals"), (error) => {
        assert.ok(isRefusal(error, "SCHEMA_NOT_VERIFIED"), String(error));
        assert.match(
          error.message,
          /after reversing plates the verify script of app meals fails: division by zero/,
        );
        return true;
      });
      assert.deepEqual(await rows(), [{ id: 1, plates: true }]);
      await bring("meals", "warn");
      assert.match(warned.join("\n"), /SCHEMA_NOT_VERIFIED: after reversing plates/);
      assert.deepEqual(await rows(), []);
      await bring("plates");
      await tests.databases.sql("app", "TRUNCATE meals; INSERT INTO meals VALUES (7), (8)");
      await bring("0");
    } finally {
      await folder.remove();
    }
  });
});
