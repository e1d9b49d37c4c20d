import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import pg from "pg";
import { pluginStack, recording, type PlannedChange, type PluginStack } from "../support/plugin-stack.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

const recorded = recording.parse(
  JSON.parse(await readFile(path.join(import.meta.dirname, "../recordings/postgresql-plugin.json"), "utf8")),
);
const password = "s3cret-of-the-recording";

/** The recorded program's inputs, with what a step changes. */
function inputs(changes: Readonly<Record<string, object>> = {}): Record<string, object> {
  const given = Object.entries(recorded.created).map(([name, { inputs: all }]) => {
    const { __defaults: defaults, ...rest } = all;
    const isDefault = (key: string) => Array.isArray(defaults) && defaults.includes(key);
    const own = Object.fromEntries(Object.entries(rest).filter(([key]) => !isDefault(key)));
    return [name, { ...own, ...("password" in own ? { password } : {}), ...changes[name] }] as const;
  });
  return Object.fromEntries(given);
}

const changed = {
  login: { connectionLimit: 7, password: `${password}!`, login: false },
  db: { connectionLimit: 9 },
  gdb: { privileges: ["CONNECT", "TEMPORARY"] },
};

function step(name: string) {
  const found = recorded.steps[name];
  assert.ok(found !== undefined, `the recording has no step ${name}`);
  return found;
}

function byResource(changes: readonly PlannedChange[]) {
  return Object.fromEntries(changes.map((change) => [change.resource, change]));
}

/** What several steps of the recording show when their changes come together. */
function together(names: readonly string[]): Readonly<Record<string, PlannedChange>> {
  const changes: Record<string, PlannedChange> = {};
  for (const change of names.flatMap((name) => step(name).preview)) {
    const before = changes[change.resource];
    changes[change.resource] = { ...change, diff: { ...before?.diff, ...change.diff } };
  }
  return changes;
}

describe("the stand-in for the postgresql plugin, replaying what was recorded from the official one", function () {
  this.timeout(180_000);
  let postgres: TestPostgres;
  let stack: PluginStack;

  const program = (changes: Readonly<Record<string, object>> = {}, extra: object = {}) => {
    const { host, port, user, password: secret } = postgres.server;
    return {
      inputs: inputs(changes),
      connection: { host, port, username: user, password: secret },
      ...extra,
    };
  };
  const sql = async (database: string, ...statements: string[]): Promise<unknown[]> => {
    const { host, port, user, password: secret } = postgres.server;
    const client = new pg.Client({ host, port, user, password: secret, database });
    await client.connect();
    try {
      let rows: unknown[] = [];
      for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
      return rows;
    } finally {
      await client.end();
    }
  };

  before(async function () {
    this.timeout(30 * 60_000);
    stack = await pluginStack();
    postgres = await startPostgres();
  });
  after(async () => {
    await postgres.remove();
    await stack.remove();
  });

  it("creates one resource of each type with the recorded ids, inputs, defaults and outputs", async () => {
    const run = await stack.run("up", program());
    assert.equal(run.failed, false, run.printed);
    const expected = structuredClone(recorded.created);
    // The locale is the server's own; the recorded one had C.
    const [locale] = await sql(
      "postgres",
      "SELECT datcollate AS c FROM pg_database WHERE datname = 'template0'",
    );
    assert.ok(expected["db"] !== undefined && typeof locale === "object" && locale !== null && "c" in locale);
    Object.assign(expected["db"].outputs, { lcCollate: locale.c, lcCtype: locale.c });
    assert.deepEqual(await stack.resources(), expected);
  });

  it("sends the password as a verifier only and keeps it out of the state", async () => {
    assert.doesNotMatch(await stack.stateOnDisk(), new RegExp(password, "u"));
    const [row] = await sql("postgres", "SELECT passwd FROM pg_shadow WHERE usename = 'app_v1'");
    assert.match(JSON.stringify(row), /SCRAM-SHA-256\$4096:/u);
  });

  it("finds nothing to do afterwards", async () => {
    assert.deepEqual((await stack.run("preview", program())).changes, []);
  });

  it("previews as recorded changes of limits, a password, a login and privileges, and carries them out", async () => {
    const preview = await stack.run("preview", program(changed));
    assert.deepEqual(byResource(preview.changes), together(["limit", "password", "nologin", "privs"]));
    const up = await stack.run("up", program(changed));
    assert.equal(up.failed, false, up.printed);
    assert.deepEqual(
      await sql(
        "postgres",
        `SELECT rolcanlogin AS login, rolconnlimit AS role, datconnlimit AS database,
           has_database_privilege('app_v1', 'meal', 'TEMPORARY') AS temporary
         FROM pg_roles, pg_database WHERE rolname = 'app_v1' AND datname = 'meal'`,
      ),
      [{ login: false, role: 7, database: 9, temporary: true }],
    );
  });

  it("takes these changes back", async () => {
    const up = await stack.run("up", program());
    assert.equal(up.failed, false, up.printed);
    const { host, port } = postgres.server;
    const client = new pg.Client({ host, port, user: "app_v1", password, database: "meal" });
    await client.connect();
    await client.end();
  });

  for (const [name, { changes, repair }] of Object.entries({
    rename: { changes: { login: { name: "app_v9" } }, repair: "ALTER ROLE app_v9 RENAME TO app_v1" },
    dbname: { changes: { db: { name: "meal_9" } }, repair: "ALTER DATABASE meal_9 RENAME TO meal" },
  })) {
    it(`previews and fails as recorded: ${step(name).what}`, async () => {
      const state = await stack.save();
      const preview = await stack.run("preview", program(changes));
      assert.deepEqual(byResource(preview.changes), byResource(step(name).preview));
      const up = await stack.run("up", program(changes));
      await sql("postgres", repair);
      await stack.putBack(state);
      assert.equal(up.failed, true);
      // The other lines are the official plugin's log of the same errors.
      for (const error of step(name).errors.filter((line) => line.startsWith("* "))) {
        assert.ok(up.printed.includes(error), `${error}\nis not in\n${up.printed}`);
      }
    });
  }

  // Each update of a Role takes memberships away that came from a GrantRole; it was gone when drift was recorded.
  const withoutMembership = (changes: readonly PlannedChange[]) =>
    byResource(changes.filter(({ resource }) => resource !== "grole"));

  it("notices drift at a refresh as recorded", async () => {
    await sql(
      "postgres",
      "ALTER ROLE app_v1 NOLOGIN CONNECTION LIMIT 3",
      "REVOKE CONNECT ON DATABASE meal FROM app_v1",
      "REVOKE pg_monitor FROM app_v1",
    );
    await sql("meal", "CREATE TABLE t (id int)", "DROP EXTENSION pg_trgm");
    const run = await stack.run("refresh", program());
    assert.equal(run.failed, false, run.printed);
    const found = run.changes.map((change) => (change.op === "delete" ? { ...change, diff: {} } : change));
    assert.deepEqual(withoutMembership(found), byResource(step("drift").preview));
    const now = await stack.resources();
    const expected = step("drift").after_refresh;
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, now[name]])), expected);
  });

  it("repairs that drift as recorded", async () => {
    const preview = await stack.run("preview", program());
    const expected = step("drift-repair").preview;
    assert.deepEqual(withoutMembership(preview.changes), withoutMembership(expected));
    const up = await stack.run("up", program());
    assert.equal(up.failed, false, up.printed);
    assert.deepEqual((await stack.run("preview", program())).changes, []);
  });

  it("refuses any other type by name, with the way to the official plugin", async () => {
    const run = await stack.run("preview", program({}, { publication: true }));
    assert.equal(run.failed, true);
    assert.match(run.printed, /postgresql:index\/publication:Publication is not known to this stand-in/u);
    assert.match(run.printed, /pulumi plugin install resource postgresql 3\.18\.1/u);
  });

  it("previews with the server out of reach, and says so when it has to connect", async () => {
    const away = { connection: { host: "127.0.0.1", port: 1, username: "postgres", password: "x" } };
    const preview = await stack.run("preview", program({ login: { connectionLimit: 5 } }, away));
    assert.equal(preview.failed, false, preview.printed);
    const state = await stack.save();
    const up = await stack.run("up", program({ login: { connectionLimit: 5 } }, away));
    await stack.putBack(state);
    assert.equal(up.failed, true);
    assert.match(
      up.printed,
      /error connecting to PostgreSQL server 127\.0\.0\.1 \(scheme: postgres\): dial tcp 127\.0\.0\.1:1: connect: connection refused/u,
    );
  });

  it("takes everything away in the end", async () => {
    const run = await stack.run("destroy", program());
    assert.equal(run.failed, false, run.printed);
    assert.deepEqual(await sql("postgres", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'app%'"), []);
    assert.deepEqual(await sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'meal%'"), []);
  });
});
