import assert from "node:assert/strict";
import { execa } from "execa";
import pg from "pg";
import { create, read, remove, resourceType, update } from "../../toolchain/postgresql-plugin/operations.ts";
import { connectTo } from "../../toolchain/postgresql-plugin/server.ts";
import { connectionSettings } from "../../toolchain/postgresql-plugin/settings.ts";
import type { Properties, Server } from "../../toolchain/postgresql-plugin/model.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

const role = resourceType("postgresql:index/role:Role");
const database = resourceType("postgresql:index/database:Database");
const schema = resourceType("postgresql:index/schema:Schema");
const extension = resourceType("postgresql:index/extension:Extension");
const grant = resourceType("postgresql:index/grant:Grant");
const grantRole = resourceType("postgresql:index/grantRole:GrantRole");
const defaultPrivileges = resourceType("postgresql:index/defaultPrivileges:DefaultPrivileges");
const noInputs = { values: {}, defaults: undefined };
/** Names that break whatever forgets to quote. */
const nasty = { role: `Ro"le; -- 'x\\`, database: 'Da ta"base', schema: "Sch'ema", table: 'T"able' };

describe("the stand-in's operations on a real server", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;

  const serverAs = (user: string, password: string, superuser = "true"): Server => {
    const { host, port } = postgres.server;
    return connectTo(
      connectionSettings({ host, port, username: user, password, sslmode: "disable", superuser }, {}),
    );
  };
  const admin = (): Server => serverAs(postgres.server.user, postgres.server.password);
  const make = (type: typeof role, news: Properties, server = admin()) =>
    create(type, () => server, { ...defaults(type), ...news }, false);
  const sql = (where: string | null, statement: string) =>
    admin().look(where, (session) => session.query(statement));

  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  it("create, read, change and delete under names that need quoting", async () => {
    const server = admin();
    const made = await make(role, { name: nasty.role, password: `it's "x" \\`, login: true });
    assert.equal(made.id, nasty.role);
    await make(database, { name: nasty.database, owner: nasty.role });
    await make(schema, { name: nasty.schema, database: nasty.database, owner: nasty.role });
    await admin().change(nasty.database, (session) =>
      session.query(`CREATE TABLE "Sch'ema"."T""able" (id int)`),
    );
    const place = { database: nasty.database, schema: nasty.schema, role: nasty.role };
    const news = { ...place, objectType: "table", objects: [nasty.table], privileges: ["SELECT", "DELETE"] };
    const granted = await make(grant, news);
    const changed = await update(
      grant,
      () => server,
      granted.id,
      granted.outputs,
      { ...news, privileges: ["UPDATE"] },
      { preview: false, ignored: [] },
    );
    assert.deepEqual(changed.outputs["privileges"], ["UPDATE"]);
    await make(defaultPrivileges, { ...place, owner: "postgres", objectType: "table", privileges: ["ALL"] });
    const found = await read(grant, () => server, granted.id, changed.outputs, noInputs);
    assert.deepEqual(found?.outputs, changed.outputs);
    await remove(grant, () => server, granted.id, changed.outputs);
    await remove(database, () => server, nasty.database, { name: nasty.database, owner: nasty.role });
    await remove(role, () => server, nasty.role, { name: nasty.role });
    assert.equal(await read(role, () => server, nasty.role, made.outputs, noInputs), undefined);
  });

  it("let a role log in with a password of any characters", async () => {
    for (const password of ['it\'s "x" \\ $1', "Grüße 密码", "SCRAM-SHA-256 is not a verifier"]) {
      await make(role, { name: "any_password", password, login: true });
      assert.equal(
        (await serverAs("any_password", password).look("postgres", (session) => session.query("SELECT 1")))
          .length,
        1,
      );
      await remove(role, admin, "any_password", { name: "any_password" });
    }
  });

  it("never show a password to the server's log, whatever that logs", async () => {
    await admin().changeAlone((session) => session.query("ALTER SYSTEM SET log_statement = 'all'"));
    await admin().changeAlone((session) => session.query("SELECT pg_reload_conf()"));
    const { id, outputs } = await make(role, { name: "twice", password: "first-s3cret", login: true });
    const news = { ...defaults(role), name: "twice", password: "second-s3cret", login: true };
    await update(role, admin, id, outputs, news, { preview: false, ignored: [] });
    await assert.rejects(make(role, { name: "twice", password: "third-s3cret" }), {
      message: 'error creating role twice: pq: role "twice" already exists (42710)',
    });
    await admin().changeAlone((session) => session.query("ALTER SYSTEM RESET log_statement"));
    await admin().changeAlone((session) => session.query("SELECT pg_reload_conf()"));
    const { all } = await execa("docker", ["logs", postgres.container], { all: true });
    assert.match(all, /CREATE ROLE "twice"/u);
    assert.doesNotMatch(all, /s3cret/u);
  });

  it("import roles, databases, schemas and extensions by their id", async () => {
    await make(role, {
      name: "imported",
      login: true,
      assumeRole: "pg_monitor",
      searchPaths: ["$user", "a b"],
      statementTimeout: 5000,
    });
    const found = await read(role, admin, "imported", {}, noInputs);
    assert.deepEqual(found?.inputs.values, {
      name: "imported",
      login: true,
      assumeRole: "pg_monitor",
      searchPaths: ["$user", "a b"],
      statementTimeout: 5000,
    });
    await make(database, { name: "imported", owner: "imported" });
    const inputs = (await read(database, admin, "imported", {}, noInputs))?.inputs.values;
    assert.equal(inputs?.["owner"], "imported");
    assert.equal(inputs["template"], "template0");
    await make(schema, { name: "s", database: "imported" });
    await make(extension, { name: "pg_trgm", database: "imported", schema: "s" });
    assert.equal((await read(schema, admin, "imported.s", {}, noInputs))?.id, "imported.s");
    assert.equal((await read(extension, admin, "imported.pg_trgm", {}, noInputs))?.outputs["schema"], "s");
    await assert.rejects(
      read(extension, admin, "pg_trgm", {}, noInputs),
      /extension ID pg_trgm has not the expected format 'database\.extension'/u,
    );
  });

  it("read as gone what is gone, also with its database", async () => {
    const state = {
      database: "no_such",
      name: "x",
      role: "postgres",
      objectType: "schema",
      schema: "public",
      owner: "postgres",
      privileges: ["USAGE"],
      grantRole: "pg_monitor",
    };
    for (const type of [role, database, schema, extension, grant, grantRole, defaultPrivileges]) {
      assert.equal(await read(type, admin, "x", state, noInputs), undefined, type.token);
    }
  });

  describe("deleting a role", () => {
    it("gives what it owns in the provider's database to the connected user", async () => {
      await make(role, { name: "leaving" });
      await admin().change(null, async (session) => {
        await session.query("CREATE TABLE left_behind (id int)");
        await session.query("ALTER TABLE left_behind OWNER TO leaving");
      });
      await remove(role, admin, "leaving", { name: "leaving" });
      assert.deepEqual(await sql(null, "SELECT tableowner FROM pg_tables WHERE tablename = 'left_behind'"), [
        { tableowner: "postgres" },
      ]);
    });
    it("fails with skipReassignOwned while it owns something", async () => {
      await make(role, { name: "owner" });
      await admin().change(null, (session) => session.query("CREATE SCHEMA of_owner AUTHORIZATION owner"));
      await assert.rejects(
        remove(role, admin, "owner", { name: "owner", skipReassignOwned: true }),
        /^OperationFailed: could not delete role owner: pq: role "owner" cannot be dropped because some objects depend on it \(2BP01\)$/u,
      );
    });
    it("leaves it with skipDropRole", async () => {
      await make(role, { name: "staying" });
      await remove(role, admin, "staying", { name: "staying", skipDropRole: true });
      assert.equal((await sql(null, "SELECT 1 FROM pg_roles WHERE rolname = 'staying'")).length, 1);
    });
  });

  it("drop a database that somebody uses, a template too", async () => {
    await make(database, { name: "used", isTemplate: true });
    const { host, port, user, password } = postgres.server;
    const guest = new pg.Client({ host, port, user, password, database: "used" });
    guest.on("error", () => undefined);
    await guest.connect();
    await remove(database, admin, "used", { name: "used", isTemplate: true });
    await guest.end().catch(() => undefined);
    assert.equal((await sql(null, "SELECT 1 FROM pg_database WHERE datname = 'used'")).length, 0);
  });

  it("hand a database over with what is in it", async () => {
    for (const name of ["old_owner", "new_owner"]) await make(role, { name });
    const { id, outputs } = await make(database, { name: "handed", owner: "old_owner" });
    await admin().change("handed", async (session) => {
      await session.query("CREATE TABLE t (id int)");
      await session.query("ALTER TABLE t OWNER TO old_owner");
    });
    const news = { ...defaults(database), name: "handed", owner: "new_owner", alterObjectOwnership: true };
    await update(database, admin, id, outputs, news, { preview: false, ignored: [] });
    assert.deepEqual(await sql("handed", "SELECT tableowner FROM pg_tables WHERE tablename = 't'"), [
      { tableowner: "new_owner" },
    ]);
    assert.deepEqual(
      await sql(
        "handed",
        "SELECT pg_get_userbyid(datdba)::text AS o FROM pg_database WHERE datname = 'handed'",
      ),
      [{ o: "new_owner" }],
    );
  });

  it("keep a grant on columns apart from one on their table", async () => {
    await make(role, { name: "columnist" });
    await make(database, { name: "columns" });
    await admin().change("columns", (session) => session.query("CREATE TABLE t (a int, b int)"));
    const place = { database: "columns", schema: "public", role: "columnist", objects: ["t"] };
    const made = await make(grant, {
      ...place,
      objectType: "column",
      columns: ["a", "b"],
      privileges: ["SELECT"],
    });
    assert.equal(made.id, "columnist_columns_public_column_t_a_b");
    await admin().change("columns", (session) => session.query("REVOKE SELECT (b) ON t FROM columnist"));
    assert.deepEqual((await read(grant, admin, made.id, made.outputs, noInputs))?.outputs["columns"], ["a"]);
  });

  it("grant on functions by signature and to everybody", async () => {
    await make(database, { name: "functions" });
    await admin().change("functions", (session) =>
      session.query("CREATE FUNCTION f(int) RETURNS int RETURN $1"),
    );
    const news = {
      database: "functions",
      schema: "public",
      role: "public",
      objectType: "function",
      objects: ["f(integer)"],
      privileges: ["EXECUTE"],
    };
    const made = await make(grant, news);
    assert.deepEqual((await read(grant, admin, made.id, made.outputs, noInputs))?.outputs, made.outputs);
    await remove(grant, admin, made.id, made.outputs);
    assert.deepEqual((await read(grant, admin, made.id, made.outputs, noInputs))?.outputs["privileges"], []);
  });

  it("survive twenty grants on one database at once, from two processes' worth of providers", async () => {
    await make(database, { name: "crowded" });
    const names = Array.from({ length: 20 }, (_, index) => `crowd_${index}`);
    const providers = [admin(), admin()];
    for (const name of names) await make(role, { name });
    await Promise.all(
      names.map((name, index) =>
        make(
          grant,
          { database: "crowded", role: name, objectType: "database", privileges: ["CONNECT"] },
          providers[index % 2],
        ),
      ),
    );
    const [row] = await sql(
      null,
      "SELECT count(*)::int AS n FROM pg_database, aclexplode(datacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE datname = 'crowded' AND rolname LIKE 'crowd%'",
    );
    assert.equal(row?.["n"], 20);
  });

  it("work for an administrator who is no superuser, and leave no membership behind", async () => {
    await make(role, { name: "admin", password: "a", login: true, createRole: true, createDatabase: true });
    const server = serverAs("admin", "a", "false");
    await make(role, { name: "app_owner" }, server);
    await make(database, { name: "app", owner: "app_owner" }, server);
    await make(schema, { name: "inside", database: "app", owner: "app_owner" }, server);
    await make(role, { name: "app_login", login: true }, server);
    const news = {
      database: "app",
      schema: "inside",
      role: "app_login",
      objectType: "schema",
      privileges: ["USAGE"],
    };
    const made = await make(grant, news, server);
    await make(
      defaultPrivileges,
      {
        database: "app",
        schema: "inside",
        owner: "app_owner",
        role: "app_login",
        objectType: "table",
        privileges: ["SELECT"],
      },
      server,
    );
    assert.deepEqual(
      (await read(grant, () => server, made.id, made.outputs, noInputs))?.outputs["privileges"],
      ["USAGE"],
    );
    const left = await sql(
      null,
      "SELECT 1 FROM pg_auth_members WHERE pg_get_userbyid(member) = 'admin' AND set_option",
    );
    assert.deepEqual(left, []);
    await remove(database, () => server, "app", { name: "app", owner: "app_owner" });
  });

  it("notice a password that was taken away, and read none without the right to", async () => {
    const { id, outputs } = await make(role, { name: "forgetful", password: "p", login: true });
    await admin().change(null, (session) => session.query("ALTER ROLE forgetful PASSWORD NULL"));
    assert.equal((await read(role, admin, id, outputs, noInputs))?.outputs["password"], "");
    const unable = () => serverAs("admin", "a", "true");
    await assert.rejects(
      read(role, unable, id, outputs, noInputs),
      /connected user admin is not a SUPERUSER/u,
    );
    const modest = () => serverAs("admin", "a", "false");
    assert.equal((await read(role, modest, id, outputs, noInputs))?.outputs["password"], "p");
  });
});

function defaults(type: typeof role): Properties {
  return Object.fromEntries(
    Object.entries(type.properties).flatMap(([name, property]) =>
      property.default === undefined ? [] : [[name, property.default]],
    ),
  );
}
