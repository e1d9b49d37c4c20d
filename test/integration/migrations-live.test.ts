import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import { liveFacts } from "../../operations/migrations/live/facts.ts";
import { judgeLive } from "../../operations/migrations/live/judge.ts";
import { observer } from "../../operations/migrations/observer.ts";
import { planSchemaChange } from "../../operations/migrations/schema-plan.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";

describe("whether a reversal can meet requests, asked of a database", function () {
  this.timeout(60_000);

  it("tells what enforces something from what does not, and long work from short", async () => {
    const postgres = await startPostgres();
    const folder = await migrationsFolder({
      "001_t.sql":
        "CREATE TABLE big (id int PRIMARY KEY, a text, b text CONSTRAINT short CHECK (length(b) < 9));",
      "rollback/001_x.sql": "DROP TABLE big;",
      "002_i.sql":
        "CREATE INDEX plain ON big (a); CREATE UNIQUE INDEX one ON big (a, id); ALTER TABLE big ADD CONSTRAINT key UNIQUE (b, id);",
      "rollback/002_x.sql":
        "DROP INDEX plain; DROP INDEX one; ALTER TABLE big DROP CONSTRAINT key, DROP CONSTRAINT short; ALTER TABLE big DROP COLUMN a;",
    });
    try {
      const databases = await testDatabases(postgres);
      await databases.create("app");
      const request = {
        databases: [databaseAt("app", folder.path)],
        wanted: new Map([["app", "2"]]),
        release: "1.0",
      };
      await changeSchema(request, databases.open);
      await databases.sql(
        "app",
        "INSERT INTO big SELECT g, 'x', 'y' FROM generate_series(1, 60000) g; ANALYZE big",
      );
      const observe = observer(databases.open);
      const plan = await planSchemaChange({ ...request, wanted: new Map([["app", "1"]]), observe });
      const facts = await liveFacts(databases.open, plan);
      const because = (declared: boolean): readonly string[] =>
        judgeLive(plan, { serving: [{ name: "1.1", runsOn: () => declared }], facts, lockMs: 100 }).because;
      const long =
        /app 2 \(down\): keeping what it destroys takes about 240 ms \(more than 100 ms\) under lock/;
      assert.equal(because(true).length, 1);
      assert.match(because(true)[0] ?? "", long);
      const [unique, key, column, ...rest] = because(false);
      assert.match(unique ?? "", /takes the unique index one away; 1\.1 is not declared compatible with 1/);
      assert.match(key ?? "", /takes the constraint big\.key away/);
      assert.match(column ?? "", /takes the column big\.a away/);
      assert.deepEqual(rest, because(true));
    } finally {
      await folder.remove();
      await postgres.remove();
    }
  });
});
