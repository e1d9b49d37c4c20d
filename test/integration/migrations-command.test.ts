import assert from "node:assert/strict";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { migrationsFolder } from "../support/migrations.ts";
import type { TestFolder } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";
import { withClient } from "../../operations/database/connection.ts";

const command = join(import.meta.dirname, "../../cli/rollback.mjs");
const made = "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)";

describe("rollback migrations, on a database without a stack", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let folder: TestFolder;
  let url: string;

  const sql = (text: string) => withClient(postgres.server, "shop", (client) => client.query(text));
  async function rollback(...args: string[]): Promise<{ code: number; said: string; json: unknown }> {
    const { exitCode, stdout, stderr } = await execa(
      process.execPath,
      [command, "migrations", ...args, "--folder", folder.path, "--json"],
      { env: { DATABASE_URL: url }, reject: false },
    );
    return { code: exitCode ?? -1, said: stderr, json: stdout === "" ? undefined : JSON.parse(stdout) };
  }
  const plan = z.object({
    from: z.string(),
    to: z.string(),
    steps: z.array(z.object({ version: z.string() })),
  });
  const courseOf = (json: unknown): unknown[] => {
    const { from, to, steps } = plan.parse(json);
    return [from, to, steps.map(({ version }) => version)];
  };

  before(async () => {
    postgres = await startPostgres();
    const { host, port, user, password } = postgres.server;
    url = `postgres://${user}:${password}@${host}:${String(port)}/shop`;
    folder = await migrationsFolder({
      "1_items.up.sql": "CREATE TABLE items (id int PRIMARY KEY)",
      "1_items.down.sql": "DROP TABLE items",
      "2_price.up.sql": "ALTER TABLE items ADD price numeric",
      "2_price.down.sql": "ALTER TABLE items DROP price",
      "3_names.up.sql": "CREATE TABLE names (name text)",
      "3_names.down.sql": "DROP TABLE names",
    });
  });
  after(async () => {
    await folder.remove();
    await postgres.remove();
  });
  beforeEach(async () => {
    await withClient(postgres.server, "postgres", async (client) => {
      await client.query("DROP DATABASE IF EXISTS shop WITH (FORCE)");
      await client.query("CREATE DATABASE shop");
    });
    // What golang-migrate leaves behind after two migrations.
    await sql(
      `${made}; INSERT INTO schema_migrations VALUES (2, false); CREATE TABLE items (id int PRIMARY KEY, price numeric)`,
    );
  });

  it("tells where the database stands and what a step back would do, and leaves no trace", async () => {
    const { code, json } = await rollback("status");
    const { version, ledger } = z.object({ version: z.string(), ledger: z.boolean() }).parse(json);
    assert.deepEqual([code, version, ledger], [0, "2", false]);
    assert.deepEqual(courseOf((await rollback("plan", "--steps", "-1")).json), ["2", "1", ["2"]]);
    assert.deepEqual(courseOf((await rollback("down", "--to", "0", "--dry-run")).json), [
      "2",
      "0",
      ["2", "1"],
    ]);
    const { rows } = await sql("SELECT to_regnamespace('rollback') IS NULL AS none");
    assert.deepEqual(rows, [{ none: true }]);
  });

  it("takes over, goes up for a release, back to before it, and keeps the tool's table and the data", async () => {
    await sql("INSERT INTO items VALUES (1, 9.50)");
    assert.equal((await rollback("adopt")).code, 0);
    assert.deepEqual(courseOf((await rollback("up", "--to", "latest", "--release", "2.0")).json), [
      "2",
      "3",
      ["3"],
    ]);
    const back = await rollback("down", "--steps", "2");
    assert.deepEqual(courseOf(back.json), ["3", "1", ["3", "2"]]);
    const { archived } = z
      .object({ archived: z.array(z.object({ name: z.string(), rows: z.number() })) })
      .parse(back.json);
    assert.ok(archived[0] !== undefined && archived[0].rows === 1);
    const kept = await sql(`SELECT price FROM rollback.${archived[0].name}`);
    assert.deepEqual(kept.rows, [{ price: "9.50" }]);
    assert.deepEqual((await sql("SELECT * FROM schema_migrations")).rows, [{ version: "1", dirty: false }]);
  });

  it("refuses as a document and with exit code 1: no target, the other way, too many steps", async () => {
    const refused = z.object({ refused: z.object({ code: z.string() }) });
    const codeOf = async (...args: string[]): Promise<unknown[]> => {
      const { code, json } = await rollback(...args);
      return [code, refused.parse(json).refused.code];
    };
    assert.deepEqual(await codeOf("down"), [1, "SCHEMA_TARGET"]);
    assert.deepEqual(await codeOf("down", "--to", "3"), [1, "SCHEMA_DIRECTION"]);
    assert.deepEqual(await codeOf("down", "--steps", "3"), [1, "SCHEMA_TARGET"]);
  });

  it("finds out where a database stands whose migrations were applied by hand", async () => {
    await sql("DROP TABLE schema_migrations");
    const { code, json } = await rollback("up", "--to", "latest");
    assert.deepEqual([code, /SCHEMA_UNTRACKED/.test(JSON.stringify(json))], [1, true]);
    const adopted = await rollback("adopt");
    assert.deepEqual([adopted.code, /shop is at 2: 2 migrations recorded/.test(adopted.said)], [0, true]);
    assert.deepEqual((await sql("SELECT * FROM schema_migrations")).rows, [{ version: "2", dirty: false }]);
    assert.deepEqual(courseOf((await rollback("down", "--steps", "1")).json), ["2", "1", ["2"]]);
  });

  it("leaves a stack's database to the stack", async () => {
    await sql("CREATE ROLE rollback_operator; CREATE SCHEMA rollback AUTHORIZATION rollback_operator");
    const { code, said } = await rollback("down", "--steps", "1");
    assert.deepEqual([code, /SCHEMA_OF_STACK/.test(said)], [1, true]);
  });

  it("drafts what has no reversal; lists, puts back and removes what reversals took", async () => {
    await folder.write({ "2_price.down.sql": undefined });
    assert.equal((await rollback("up", "--to", "2")).code, 0);
    const drafted = await rollback("draft", "2");
    const draft = z
      .object({ written: z.string(), proven: z.boolean(), text: z.string() })
      .parse(drafted.json);
    assert.deepEqual(
      [drafted.code, draft.proven, draft.written],
      [0, true, join(folder.path, "2_price.down.sql")],
    );
    assert.match(draft.text, /DROP COLUMN price/);
    await sql("INSERT INTO items VALUES (1, 2.5), (2, 7)");
    assert.equal((await rollback("down", "--steps", "1")).code, 0);
    const listed = z.array(z.object({ id: z.string(), source: z.string(), rows: z.number() }));
    const archives = async () => listed.parse((await rollback("archives")).json);
    assert.deepEqual(await archives(), [{ id: "1", source: "public.items", rows: 2 }]);
    await sql("ALTER TABLE items ADD price numeric");
    assert.equal((await rollback("restore")).code, 2);
    assert.equal((await rollback("restore", "1")).code, 0);
    assert.deepEqual((await sql("SELECT price FROM items ORDER BY id")).rows, [
      { price: "2.5" },
      { price: "7" },
    ]);
    assert.equal((await rollback("prune", "1")).code, 0);
    assert.deepEqual(await archives(), []);
    const unknown = await rollback("prune", "1");
    assert.deepEqual(unknown.code, 1);
    assert.match(JSON.stringify(unknown.json), /rollback migrations archives --folder/);
  });
});
