import assert from "node:assert/strict";
import { Client } from "pg";
import { seedMealie, seedMealPlanner, sizeTimes } from "../../examples/meal-planner/seed.ts";
import { docker } from "../../operations/docker/run.ts";
import { scripts } from "../support/example.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

describe("the example's migrations on a real server", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let client: Client;

  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());
  afterEach(() => client.end());

  /** A new database that belongs to a role without any other right; `client` is connected to it. */
  async function newDatabase(name: string, extensions: readonly string[]): Promise<void> {
    const { host, port, user, password } = postgres.server;
    const admin = new Client({ host, port, user, password, database: "postgres" });
    await admin.connect();
    await admin.query(`DROP DATABASE IF EXISTS ${name}`);
    await admin.query(`DROP ROLE IF EXISTS ${name}_owner`);
    await admin.query(`CREATE ROLE ${name}_owner NOLOGIN`);
    await admin.query(`CREATE DATABASE ${name} OWNER ${name}_owner`);
    await admin.end();
    client = new Client({ host, port, user, password, database: name });
    await client.connect();
    for (const extension of extensions) await client.query(`CREATE EXTENSION ${extension}`);
  }

  /** Runs scripts as the owner in one transaction, as the tool does. */
  async function run(database: string, ...sql: readonly (string | undefined)[]): Promise<void> {
    await client.query("BEGIN");
    await client.query(`SET LOCAL ROLE ${database}_owner`);
    for (const script of sql) {
      assert.ok(script !== undefined, "there is no such script");
      await client.query(script);
    }
    await client.query("COMMIT");
  }

  /** What the schema holds, quicker to ask for than pg_dump, in an order that does not depend on object ids. */
  async function objects(): Promise<string[]> {
    const { rows } = await client.query<{ object: string }>(objectsOfSchema);
    return rows.map((row) => row.object);
  }

  /** The catalogue as text. pg_dump's own key, new in every run, is left out. */
  async function catalogue(database: string): Promise<string> {
    const dump = await docker([
      "exec",
      "-u",
      "postgres",
      postgres.container,
      "pg_dump",
      "--schema-only",
      database,
    ]);
    return dump.replaceAll(/^\\(un)?restrict .*$/gm, "");
  }

  /** Up from `first` to `last`, down again and up again; the schema must be the same each time at each version. */
  async function upDownUp(database: string, first: number, last: number): Promise<void> {
    const up = scripts(database);
    const down = scripts(`${database}/rollback`);
    const versions = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const dump = await catalogue(database);
    const before = [await objects()];
    for (const version of versions) {
      await run(database, up.get(version));
      before.push(await objects());
    }
    const top = before.pop();
    for (const version of versions.toReversed()) {
      await run(database, down.get(version));
      assert.deepEqual(await objects(), before.pop(), `${version} down`);
    }
    assert.equal(await catalogue(database), dump);
    await run(database, ...versions.map((version) => up.get(version)));
    assert.deepEqual(await objects(), top);
  }

  it("of meal_planner go up, down and up again without a trace, but for 020", async () => {
    await newDatabase("meal_planner", ["pg_trgm"]);
    await upDownUp("meal_planner", 1, 19);
    await run("meal_planner", scripts("meal_planner").get(20));
    await upDownUp("meal_planner", 21, 23);
  });

  it("of mealie go up, down and up again without a trace", async () => {
    await newDatabase("mealie", []);
    await upDownUp("mealie", 1, 5);
  });

  it("021 to 023 go back in one transaction, newest first, and no row of the key tables goes with them", async () => {
    await newDatabase("meal_planner", ["pg_trgm"]);
    const up = scripts("meal_planner");
    const down = scripts("meal_planner/rollback");
    await run("meal_planner", ...[...up].filter(([version]) => version <= 20).map(([, sql]) => sql));
    const at20 = await catalogue("meal_planner");
    await run("meal_planner", up.get(21), up.get(22), up.get(23));
    await seedMealPlanner(client, sizeTimes(0.01));
    await client.query("UPDATE auto_meal_plans SET recipe_json = '[]'");
    const rows = await counts();
    await run("meal_planner", down.get(23), down.get(22), down.get(21));
    assert.equal(await catalogue("meal_planner"), at20);
    assert.deepEqual(await counts(), rows);
    const { rows: kinds } = await client.query("SELECT DISTINCT source_type::text FROM food_logs ORDER BY 1");
    assert.deepEqual(
      kinds.map((row: { source_type: string }) => row.source_type),
      ["food", "manual", "recipe"],
    );
  });

  it("recipes_simplified is as the runbook writes it down, until 020 drops it", async () => {
    await newDatabase("meal_planner", []);
    const up = scripts("meal_planner");
    await run("meal_planner", ...[...up].filter(([version]) => version <= 19).map(([, sql]) => sql));
    const indexes =
      "SELECT indexname FROM pg_indexes WHERE tablename = 'recipes_simplified' AND indexname LIKE 'idx%' ORDER BY 1";
    assert.deepEqual(
      (await client.query<{ indexname: string }>(indexes)).rows.map((row) => row.indexname),
      ["branded", "category", "fat", "protein", "verified"].map(
        (column) => `idx_recipes_simplified_${column}`,
      ),
    );
    await run("meal_planner", up.get(20));
    assert.deepEqual((await client.query(indexes)).rows, []);
  });

  it("the seed adds what is missing, and nothing when it is run again", async () => {
    await newDatabase("mealie", []);
    await run("mealie", ...scripts("mealie").values());
    assert.equal((await seedMealie(client, sizeTimes(0.01)))["recipes"], 20);
    assert.equal((await seedMealie(client, sizeTimes(0.02)))["recipes"], 20);
    await client.end();

    await newDatabase("meal_planner", ["pg_trgm"]);
    await run("meal_planner", ...scripts("meal_planner").values());
    const first = await seedMealPlanner(client, sizeTimes(0.01));
    assert.deepEqual(
      [first["food_logs"], first["auto_meal_plans"], first["meal_selections"], first["meals"]],
      [2000, 200, 600, 50],
    );
    const again = await seedMealPlanner(client, sizeTimes(0.01));
    assert.deepEqual([...new Set(Object.values(again))], [0]);
    assert.equal((await seedMealPlanner(client, sizeTimes(0.02)))["food_logs"], 2000);
  });

  async function counts(): Promise<unknown> {
    const tables = ["food_logs", "meals", "auto_meal_plans", "meal_selections"];
    const { rows } = await client.query<Record<string, string>>(
      `SELECT ${tables.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(", ")}`,
    );
    assert.ok(tables.every((table) => Number(rows[0]?.[table]) > 0));
    return rows[0];
  }
});

const objectsOfSchema = `
  SELECT object FROM (
    SELECT format('relation %s %s', relkind, relname)
      FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('column %s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT format('view %s %s', viewname, definition) FROM pg_views WHERE schemaname = 'public'
    UNION ALL
    SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    UNION ALL
    SELECT format('type %s %s', typname, (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = pg_type.oid))
      FROM pg_type WHERE typnamespace = 'public'::regnamespace
  ) AS objects (object) ORDER BY object COLLATE "C"`;
