import assert from "node:assert/strict";
import { cp, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { seedMealPlanner, usualSize } from "../../../examples/meal-planner/seed.ts";
import { close, connect, withClient } from "../../../operations/database/connection.ts";
import { askStack, schemaVersions } from "../../support/stack-checks.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

const records = z.record(z.string(), z.looseObject({}));
const index = "idx_food_logs_calories";

describe("a migration that cannot run in a transaction, on a stack", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  const folder = (): string => path.join(stack.folder, "migrations");

  /** The example with a release that brings 024. */
  function with024(config: Config): Config {
    const releases = records.parse(config["rollback:releases"]);
    const databases = records.parse(config["rollback:databases"]);
    const moved = Object.entries(databases).map(
      ([name, database]) => [name, { ...database, migrations: path.join(folder(), name) }] as const,
    );
    const next = { ...releases["1.2.1"], schema: { meal_planner: "24", mealie: "4" } };
    return {
      ...config,
      "rollback:databases": Object.fromEntries(moved),
      "rollback:releases": { ...releases, "1.2.5": next },
    };
  }

  // With a hold of 2 s an index in its plain form may take 1 s: the table is too large for that.
  const options = { live: { "1.2.1": 100 }, gateway: { hold: "2s" }, redis: false } as const;
  const bring125 = (): Promise<void> =>
    stack.configure(options, (config) => ({ ...with024(config), "rollback:live": { "1.2.5": 100 } }));
  const indexState = async (): Promise<unknown[]> => {
    const rows = await stack.query(
      "meal_planner",
      `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('${index}')`,
    );
    return rows.map((row) => row["valid"]);
  };
  const building = async (): Promise<boolean> => {
    const rows = await stack.query(
      "meal_planner",
      "SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'",
    );
    return rows.length > 0;
  };
  async function until(holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 60_000;
    while (!(await holds())) {
      assert.ok(Date.now() < end, "what was waited for did not come");
      await sleep(100);
    }
  }

  before(async () => {
    stack = await createStack();
    await cp(path.join(import.meta.dirname, "../../../examples/meal-planner/migrations"), folder(), {
      recursive: true,
    });
    await writeFile(
      path.join(folder(), "meal_planner/024_index_calories.sql"),
      `CREATE INDEX CONCURRENTLY ${index} ON food_logs (calories);`,
    );
    await stack.configure(options, with024);
    await stack.up();
    await withClient(stack.server, "meal_planner", (client) => seedMealPlanner(client, usualSize));
  });
  after(() => stack.cleanup());

  it("answers 503 with Retry-After while it runs; killed in the middle, the next up removes what is left and finishes", async () => {
    await bring125();
    const { output: preview } = await stack.preview();
    assert.match(preview, /committed statement by statement, while the gateway answers 503/);
    // An old transaction keeps the index from being finished, and so the run at this very statement.
    const reader = await connect(stack.server, "meal_planner");
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM food_logs");
    const running = await stack.startUp();
    await until(async () => (await indexState()).length > 0);
    const { status, retryAfter, release } = await askStack(stack, "/api/logs");
    assert.deepEqual([status, retryAfter, release], [503, "5", null]);
    await stack.kill(running);
    await running.ended;
    await stack.cancel();
    assert.deepEqual(await indexState(), [false]);
    assert.equal((await askStack(stack, "/api/logs")).status, 503);

    const next = await stack.startUp();
    await until(async () => !(await building()));
    await reader.query("COMMIT");
    await close(reader);
    const { exitCode, output } = await next.ended;
    assert.equal(exitCode, 0, output);
    assert.deepEqual(await indexState(), [true]);
    assert.equal((await schemaVersions(stack))["meal_planner"], "24");
    const events = await stack.query(
      "meal_planner",
      "SELECT details ->> 'state' AS state FROM rollback.event WHERE kind = 'boundary' ORDER BY id",
    );
    assert.deepEqual(
      events.map(({ state }) => state),
      ["open", "begun", "done", "closed"],
    );
    const answer = await askStack(stack, "/api/logs");
    assert.deepEqual([answer.status, answer.release], [200, "1.2.5"]);
  });
});
