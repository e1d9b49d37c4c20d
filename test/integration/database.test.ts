import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type pg from "pg";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import { connect, close, waitUntilReady, withClient } from "../../operations/database/connection.ts";
import type { Server } from "../../operations/database/connection.ts";
import { isAbsent, isUnreachable } from "../../operations/database/errors.ts";
import { closeRoles, openRoles, sessionsOf, retireRoles } from "../../operations/database/fence.ts";
import { observeServer } from "../../operations/database/observe.ts";
import type { ServerObservation } from "../../operations/database/observe.ts";
import { removeOrphanRole } from "../../operations/database/orphans.ts";
import { identifier } from "../../operations/database/query.ts";
import { createRestorePoint } from "../../operations/database/restore-point.ts";
import { roleStates } from "../../operations/database/roles.ts";
import { applyServerSettings, confirmServerSettings } from "../../operations/database/settings-apply.ts";
import { differingSettings, planServerSettings, settingsToTry } from "../../operations/database/settings.ts";
import type { SettingsPlan } from "../../operations/database/settings.ts";
import { applySettings } from "../../operations/database/settings-change.ts";
import { clearSessions } from "../../operations/database/sessions.ts";
import { trySettings } from "../../operations/database/settings-trial.ts";
import { tableFacts } from "../../operations/database/tables.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const refusedAs =
  (code: string) =>
  (error: unknown): boolean =>
    isRefusal(error, code);

describe("a PostgreSQL server", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let server: Server;

  const sql = (text: string, values: unknown[] = [], as: Server = server): Promise<pg.QueryResult> =>
    withClient(as, "postgres", (client) => client.query(text, values));

  before(async () => {
    postgres = await startPostgres();
    server = postgres.server;
  });
  after(() => postgres.remove());

  describe("connections", () => {
    it("refuses a wrong password without telling it", async () => {
      const wrong = postgres.as("postgres", "not-the-secret");
      await assert.rejects(sql("select 1", [], wrong), (error) => {
        assert.ok(isRefusal(error, "SERVER_AUTH"));
        assert.ok(!error.message.includes("not-the-secret"));
        return !isUnreachable(error);
      });
    });

    it("calls a port where nobody listens, a name that does not resolve and a silent peer unreachable", async () => {
      const silent = createServer(() => undefined).listen(0, "127.0.0.1");
      await new Promise((resolve) => silent.once("listening", resolve));
      const { port } = silent.address() as AddressInfo;
      try {
        for (const away of [
          { ...server, port: 1 },
          { ...server, host: "localhost", port: 1 },
          { ...server, host: "no-such-host.invalid" },
          { ...server, port },
        ]) {
          const attempt = withClient(away, "postgres", () => Promise.resolve(), { connectTimeoutMs: 300 });
          await assert.rejects(
            attempt,
            (error) => isUnreachable(error) && isRefusal(error, "SERVER_UNREACHABLE"),
          );
        }
      } finally {
        silent.close();
      }
    });

    it("says when TLS is asked of a server that has none", async () => {
      await assert.rejects(sql("select 1", [], { ...server, ssl: "require" }), refusedAs("SERVER_TLS"));
    });

    it("tells a missing database and a missing table apart from everything else", async () => {
      const missing = withClient(server, "nowhere", () => Promise.resolve());
      await assert.rejects(missing, (error) => isAbsent(error) && !isUnreachable(error));
      await assert.rejects(sql("select * from nothing"), isAbsent);
    });

    it("recognises a connection that was ended under it, and survives it", async () => {
      const client = await connect(server, "postgres");
      try {
        const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
        await sql("select pg_terminate_backend($1)", [rows[0]?.pid]);
        await assert.rejects(client.query("select 1"), isUnreachable);
        await assert.rejects(client.query("select 1"), Error);
      } finally {
        await close(client);
      }
    });

    it("leaves no session behind, also when the work throws", async () => {
      const applicationName = "rbt-leak";
      const work = withClient(server, "postgres", () => Promise.reject(new Error("no")), { applicationName });
      await assert.rejects(work, /^Error: no$/);
      const { rows } = await sql(
        "select count(*)::int as n from pg_stat_activity where application_name = $1",
        [applicationName],
      );
      assert.deepEqual(rows, [{ n: 0 }]);
    });

    it("waits for a server that is restarting, and gives up at the deadline", async () => {
      const said: string[] = [];
      const restarted = postgres.restart();
      await waitUntilReady(server, 20_000, (line) => said.push(line));
      await restarted;
      const before = Date.now();
      const gaveUp = waitUntilReady({ ...server, port: 1 }, 400, (line) => said.push(line));
      await assert.rejects(gaveUp, refusedAs("SERVER_UNREACHABLE"));
      assert.ok(Date.now() - before < 1500);
      assert.match(said.at(-1) ?? "", /^waiting for PostgreSQL: /);
    });
  });

  describe("observation", () => {
    it("tells version, identity, roles with sessions, databases and settings in one look", async () => {
      await sql("create role obs_app login password 'x'; create role obs_owner");
      await sql("create database obs owner obs_owner");
      const session = await connect(postgres.as("obs_app", "x"), "postgres");
      try {
        const seen = await observeServer(server, {
          roles: ["obs_owner", "absent"],
          rolePrefixes: ["obs_a"],
          settings: ["work_mem", "TimeZone", "shared_buffers", "no_such"],
        });
        assert.equal(seen.major, 17);
        assert.match(seen.systemIdentifier, /^\d{15,}$/);
        assert.equal(seen.timeline, 1);
        assert.equal(seen.inRecovery, false);
        assert.equal(seen.maxPreparedTransactions, 20);
        assert.deepEqual(seen.roles.get("obs_app"), {
          name: "obs_app",
          login: true,
          superuser: false,
          sessions: 1,
        });
        assert.deepEqual([...seen.roles.keys()], ["obs_app", "obs_owner"]);
        assert.equal(seen.databases.get("obs"), "obs_owner");
        assert.deepEqual([...seen.settings.keys()].sort(), ["TimeZone", "shared_buffers", "work_mem"]);
        assert.deepEqual(seen.recorded, {});
      } finally {
        await close(session);
        await sql("drop database obs");
        await sql("drop role obs_app; drop role obs_owner");
      }
    });

    it("works for a role that is no superuser", async () => {
      await sql("create role obs_plain login password 'x'");
      const seen = await observeServer(postgres.as("obs_plain", "x"), {
        roles: [],
        rolePrefixes: [],
        settings: ["work_mem"],
      });
      assert.equal(seen.settings.get("work_mem")?.written, null);
      await sql("drop role obs_plain");
    });
  });

  describe("the fence", () => {
    const app = 'app "one" Ä';
    const loginAs = (role: string): Promise<pg.Client> => connect(postgres.as(role, "x"), "postgres");

    before(() =>
      sql(`create role fence_owner;
           create role ${identifier(app)} login password 'x';
           create role fence_writer login password 'x';
           create role fence_bystander login password 'x';
           grant fence_owner to ${identifier(app)}`),
    );
    after(() =>
      sql(
        `drop role ${identifier(app)}; drop role fence_writer; drop role fence_bystander; drop role fence_owner`,
      ),
    );

    it("ends every session of the roles, whatever they SET ROLE to, and nobody else's", async () => {
      const plain = await loginAs(app);
      const assumed = await loginAs(app);
      const writer = await loginAs("fence_writer");
      const bystander = await loginAs("fence_bystander");
      try {
        await assumed.query("set role fence_owner; begin; create temp table t ()");
        const result = await closeRoles(server, [app, "fence_writer", "fence_absent"]);
        assert.deepEqual([...result.closed].sort(), [app, "fence_writer"]);
        assert.deepEqual(result.missing, ["fence_absent"]);
        assert.equal(result.ended, 3);
        assert.deepEqual(result.prepared, []);
        for (const client of [plain, assumed, writer]) await assert.rejects(client.query("select 1"));
        await bystander.query("select 1");
        await assert.rejects(loginAs(app), refusedAs("SERVER_AUTH"));
        assert.equal((await roleStates(server, [app])).get(app)?.login, false);
      } finally {
        await Promise.all([plain, assumed, writer, bystander].map(close));
      }
    });

    it("finds nothing to do the second time, and opens again", async () => {
      const again = await closeRoles(server, [app, "fence_writer"]);
      assert.deepEqual([again.changed, again.ended], [[], 0]);
      const opened = await openRoles(server, [app, "fence_writer", "fence_absent"]);
      assert.deepEqual([...opened.changed].sort(), [app, "fence_writer"]);
      assert.deepEqual(opened.missing, ["fence_absent"]);
      assert.deepEqual((await openRoles(server, [app])).changed, []);
      await close(await loginAs(app));
    });

    it("holds against clients that reconnect as fast as they can", async () => {
      let stop = false;
      let logins = 0;
      const storm = Array.from({ length: 8 }, async () => {
        while (!stop) {
          try {
            const client = await loginAs("fence_writer");
            logins++;
            await client.query("select 1").finally(() => close(client));
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        }
      });
      try {
        for (let round = 0; round < 5; round++) {
          await openRoles(server, ["fence_writer"]);
          const before = logins;
          while (logins < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
          await closeRoles(server, ["fence_writer"]);
          const left = await withClient(server, "postgres", (client) => sessionsOf(client, ["fence_writer"]));
          assert.deepEqual(left, []);
        }
      } finally {
        stop = true;
        await Promise.all(storm);
        await openRoles(server, ["fence_writer"]);
      }
    });

    it("reports what the roles left prepared", async () => {
      const client = await loginAs("fence_writer");
      await client
        .query("begin; select pg_current_xact_id(); prepare transaction 'left-behind'")
        .finally(() => close(client));
      const { prepared } = await closeRoles(server, ["fence_writer"]);
      assert.deepEqual(prepared, [{ gid: "left-behind", owner: "fence_writer", database: "postgres" }]);
      await sql("rollback prepared 'left-behind'");
      await openRoles(server, ["fence_writer"]);
    });

    it("refuses a superuser, also a hidden one, before it closes anybody", async () => {
      await sql(
        "create role fence_root superuser login; create role fence_hidden login; grant fence_root to fence_hidden",
      );
      for (const role of ["fence_root", "fence_hidden"]) {
        await assert.rejects(closeRoles(server, ["fence_writer", role]), refusedAs("APP_IS_SUPERUSER"));
      }
      assert.equal((await roleStates(server, ["fence_writer"])).get("fence_writer")?.login, true);
      await sql("drop role fence_hidden; drop role fence_root");
    });

    it("refuses when it may not close a role, and closes none", async () => {
      await sql(
        "create role fence_weak login createrole password 'x'; create role fence_mine; grant fence_mine to fence_weak with admin option",
      );
      await sql("alter role fence_mine login");
      const weak = postgres.as("fence_weak", "x");
      await assert.rejects(closeRoles(weak, ["fence_mine", "fence_writer"]), refusedAs("FENCE_NOT_ALLOWED"));
      const states = await roleStates(server, ["fence_mine", "fence_writer"]);
      assert.ok([...states.values()].every((role) => role.login));
      await sql("drop role fence_mine; drop role fence_weak");
    });

    it("gives up on sessions that do not end, and names them", async () => {
      const client = await loginAs("fence_writer");
      // A deadline in the past stands for a session that does not die.
      const failed = closeRoles(server, ["fence_writer"], { deadlineMs: -1 });
      await assert.rejects(failed, (error) => {
        assert.ok(error instanceof Refusal);
        assert.match(error.message, /fence_writer \(pid \d+/);
        return error.code === "SESSIONS_REMAIN";
      });
      await close(client);
      await openRoles(server, ["fence_writer"]);
    });
  });

  describe("restore points", () => {
    it("are named places in the log, on the right timeline", async () => {
      const point = await createRestorePoint(server, "before deploy 42");
      assert.match(point.lsn, /^[0-9A-F]+\/[0-9A-F]+$/);
      assert.equal(point.timeline, 1);
      assert.ok(point.named);
      assert.ok(!Number.isNaN(Date.parse(point.time)));
      await assert.rejects(createRestorePoint(server, "x".repeat(64)), refusedAs("NAME_IMPOSSIBLE"));
    });

    it("are a mere position where naming one is not allowed", async () => {
      await sql("create role points_plain login password 'x'");
      const point = await createRestorePoint(postgres.as("points_plain", "x"), "p");
      assert.equal(point.named, false);
      assert.match(point.lsn, /\//);
      await sql("drop role points_plain");
    });
  });

  describe("server settings", () => {
    const observe = (desired: ReadonlyMap<string, string>): Promise<ServerObservation> =>
      observeServer(server, { roles: [], rolePrefixes: [], settings: [...desired.keys()] });
    const planFor = async (desired: ReadonlyMap<string, string>): Promise<SettingsPlan> => {
      const observed = await observe(desired);
      const tried = await trySettings({ container: postgres.container }, settingsToTry(observed, desired));
      return planServerSettings(observed, desired, tried);
    };
    const show = async (name: string): Promise<unknown> =>
      (await sql(`show ${name}`)).rows.flatMap((row: Record<string, unknown>) => Object.values(row))[0];

    it("change by reload and are gone again when the configuration no longer has them", async () => {
      const desired = new Map([
        ["work_mem", "64MB"],
        ["log_min_duration_statement", "1.5s"],
        ["search_path", 'app, "$user", "Odd, name"'],
        ["log_connections", "on"],
      ]);
      const plan = await planFor(desired);
      assert.deepEqual(plan.restart, []);
      assert.deepEqual(await applyServerSettings(server, plan), { restart: [] });
      assert.equal(await show("work_mem"), "64MB");
      assert.equal(await show("log_min_duration_statement"), "1500ms");
      assert.equal(await show("search_path"), 'app, "$user", "Odd, name"');

      const same = await observe(desired);
      assert.deepEqual(differingSettings(same, desired), { reload: [], restart: [] });
      assert.equal(settingsToTry(same, desired).size, 0);
      assert.deepEqual((await planFor(desired)).changes, []);
      const respelled = new Map([...desired, ["work_mem", "65536kB"]]);
      assert.deepEqual((await planFor(respelled)).restart, []);

      const back = await planFor(new Map());
      assert.deepEqual(back.changes.map(({ name }) => name).sort(), [...desired.keys()].sort());
      await applyServerSettings(server, back);
      assert.equal(await show("work_mem"), "4MB");
      assert.deepEqual((await observe(new Map())).recorded, {});
      assert.deepEqual((await planFor(new Map())).changes, []);
    });

    it("give back what somebody had set by hand before", async () => {
      await sql("alter system set maintenance_work_mem = '96MB'");
      await sql("select pg_reload_conf()");
      await applyServerSettings(server, await planFor(new Map([["maintenance_work_mem", "128MB"]])));
      await applyServerSettings(server, await planFor(new Map([["maintenance_work_mem", "192MB"]])));
      assert.equal(await show("maintenance_work_mem"), "192MB");
      await applyServerSettings(server, await planFor(new Map()));
      assert.equal(await show("maintenance_work_mem"), "96MB");
      await sql("alter system reset maintenance_work_mem");
      await sql("select pg_reload_conf()");
    });

    it("notice what somebody changed behind our back", async () => {
      const desired = new Map([["work_mem", "32MB"]]);
      await applyServerSettings(server, await planFor(desired));
      await sql("alter system set work_mem = '1MB'");
      await sql("select pg_reload_conf()");
      assert.deepEqual(differingSettings(await observe(desired), desired).reload, ["work_mem"]);
      await applyServerSettings(server, await planFor(desired));
      assert.equal(await show("work_mem"), "32MB");
      await applyServerSettings(server, await planFor(new Map()));
    });

    it("that need a restart wait for it, are confirmed after it, and go back the same way", async () => {
      const desired = new Map([
        ["max_connections", "37"],
        ["work_mem", "8MB"],
      ]);
      const plan = await planFor(desired);
      assert.deepEqual([plan.reload, plan.restart], [["work_mem"], ["max_connections"]]);
      assert.deepEqual(await applyServerSettings(server, plan), { restart: ["max_connections"] });
      await assert.rejects(confirmServerSettings(server, plan), refusedAs("SETTING_NOT_IN_EFFECT"));
      // A run that was killed here is taken up by the next one.
      assert.deepEqual((await planFor(desired)).restart, ["max_connections"]);
      await postgres.restart();
      await confirmServerSettings(server, plan);
      assert.equal(await show("max_connections"), "37");
      assert.deepEqual((await planFor(desired)).changes, []);

      const back = await planFor(new Map());
      assert.deepEqual(back.restart, ["max_connections"]);
      await applyServerSettings(server, back);
      await postgres.restart();
      await confirmServerSettings(server, back);
      assert.equal(await show("max_connections"), "100");
      assert.deepEqual((await planFor(new Map())).changes, []);
    });

    for (const [name, value, code, words] of [
      ["work_memm", "64MB", "SETTING_UNKNOWN", /work_memm/],
      ["work_mem", "64 Megabyte", "SETTING_INVALID", /invalid value for parameter "work_mem"/],
      ["work_mem", "1kB", "SETTING_INVALID", /outside the valid range/],
      ["max_connections", "0", "SETTING_INVALID", /max_connections/],
      ["wal_level", "everything", "SETTING_INVALID", /Available values/],
      ["port", "5433", "SETTING_INVALID", /stack's own/],
      ["block_size", "4096", "SETTING_INVALID", /only be read/],
    ] as const) {
      it(`refuse ${name} = ${value} before anything changes`, async () => {
        await assert.rejects(planFor(new Map([[name, value]])), (error) => {
          assert.ok(error instanceof Refusal, String(error));
          assert.match(error.message, words);
          return error.code === code;
        });
      });
    }

    for (const [why, settings, words] of [
      ["a library that is not there", { shared_preload_libraries: "no_such_library" }, /no_such_library/],
      ["settings that clash", { wal_level: "minimal", archive_mode: "on" }, /wal_level/],
      ["more memory than there is", { shared_buffers: "7TB" }, /memory/],
    ] as const) {
      it(`notice ${why} by starting a throw-away server`, async () => {
        const attempt = trySettings({ container: postgres.container }, new Map(Object.entries(settings)), {
          start: true,
        });
        await assert.rejects(attempt, (error) => {
          assert.ok(error instanceof Refusal, String(error));
          assert.match(error.message, words);
          return error.code === "SETTING_INVALID";
        });
      });
    }

    it("are read by PostgreSQL in base units, also without a container and from a started trial", async () => {
      const settings = new Map([
        ["shared_buffers", "64MB"],
        ["wal_level", "LOGICAL"],
        ["cluster_name", "it's a 'name'"],
        ["track_commit_timestamp", "yes"],
      ]);
      const values = ["8192", "logical", "it's a 'name'", "on"];
      const container = trySettings({ container: postgres.container }, settings, { start: true });
      assert.deepEqual([...(await container).values()], values);
      const image = trySettings({ image: "rollback-postgres:17.1" }, settings);
      assert.deepEqual([...(await image).values()], values);
    });

    it("put the others back when PostgreSQL refuses one while writing", async () => {
      const desired = new Map([
        ["work_mem", "16MB"],
        ["log_timezone", "Nowhere/Land"],
      ]);
      const observed = await observe(desired);
      const plan = planServerSettings(
        observed,
        desired,
        new Map([
          ["work_mem", "16384"],
          ["log_timezone", "Nowhere/Land"],
        ]),
      );
      await assert.rejects(applyServerSettings(server, plan), refusedAs("SETTING_INVALID"));
      assert.equal((await observe(desired)).settings.get("work_mem")?.written, null);
      await applyServerSettings(server, await planFor(new Map()));
      assert.deepEqual((await observe(new Map())).recorded, {});
    });
  });

  describe("a change of server settings from end to end", () => {
    it("restarts the container once where that is needed, and finds nothing to do the second time", async () => {
      const said: string[] = [];
      const desired = new Map([
        ["max_connections", "42"],
        ["work_mem", "9MB"],
        ["timezone", "Europe/Berlin"],
      ]);
      const apply = (wanted: Map<string, string>): Promise<boolean> =>
        applySettings(server, postgres.container, wanted, (line) => said.push(line));
      assert.equal(await apply(desired), true);
      assert.deepEqual(said.slice(0, 4), [
        "max_connections: 100 → 42 (restart)",
        "work_mem: 4096 × kB → 9MB (reload)",
        "timezone: Etc/UTC → Europe/Berlin (reload)",
        "restarting PostgreSQL for max_connections",
      ]);
      said.length = 0;
      assert.equal(await apply(desired), false);
      assert.deepEqual(said, []);
      assert.equal(await apply(new Map()), true);
      assert.deepEqual((await sql("show max_connections")).rows, [{ max_connections: "100" }]);
    });
  });

  describe("orphan roles", () => {
    it("are removed when nothing depends on them", async () => {
      await sql("create role orphan_1_2_0 login");
      assert.equal(await removeOrphanRole(server, "orphan_1_2_0"), true);
      assert.equal(await removeOrphanRole(server, "orphan_1_2_0"), false);
    });

    for (const [why, setUp, tearDown] of [
      [
        "owns a table",
        "create table owned_by_orphan (); alter table owned_by_orphan owner to orphan_used",
        "drop table owned_by_orphan",
      ],
      [
        "was granted rights",
        "grant connect on database postgres to orphan_used",
        "revoke all on database postgres from orphan_used",
      ],
      [
        "has members",
        "create role orphan_member; grant orphan_used to orphan_member",
        "drop role orphan_member",
      ],
      ["is a superuser", "alter role orphan_used superuser", "alter role orphan_used nosuperuser"],
    ] as const) {
      it(`are somebody's when one ${why}`, async () => {
        await sql(`create role orphan_used; ${setUp}`);
        await assert.rejects(removeOrphanRole(server, "orphan_used"), refusedAs("ROLE_TAKEN"));
        await sql(`${tearDown}; drop role orphan_used`);
      });
    }

    it("are removed with all that the engine gives a release's role", async () => {
      await sql(`create role orphan_owner; create role orphan_1_2_1 login password 'x';
        grant orphan_owner to orphan_1_2_1; alter role orphan_1_2_1 set role to orphan_owner`);
      assert.equal(await removeOrphanRole(server, "orphan_1_2_1"), true);
      await sql("drop role orphan_owner");
    });

    it("are retired when their release leaves: closed, sessions left in peace until the role comes back", async () => {
      await sql("create role orphan_left login password 'x'");
      const session = await connect(postgres.as("orphan_left", "x"), "postgres");
      assert.deepEqual(await retireRoles(server, ["orphan_left", "orphan_none"]), ["orphan_left"]);
      assert.deepEqual(await retireRoles(server, ["orphan_left"]), []);
      await session.query("select 1");
      await assert.rejects(
        connect(postgres.as("orphan_left", "x"), "postgres"),
        (error) => error instanceof Error,
      );
      assert.equal(await removeOrphanRole(server, "orphan_left"), true);
      await assert.rejects(session.query("select 1"));
      await close(session);
    });

    it("are somebody's while a session uses one", async () => {
      await sql("create role orphan_busy login password 'x'");
      const session = await connect(postgres.as("orphan_busy", "x"), "postgres");
      await assert.rejects(removeOrphanRole(server, "orphan_busy"), refusedAs("ROLE_TAKEN"));
      await close(session);
      await sql("drop role orphan_busy");
    });
  });

  describe("application sessions", () => {
    const clear = (where: string): Promise<number> =>
      clearSessions(server, "postgres", "sessions_owner", { table: "sessions", where });
    before(() =>
      sql(`create role sessions_owner; create table secret_of_admin as select 1 as id;
           create table sessions as select generate_series(1, 10) as id; alter table sessions owner to sessions_owner`),
    );
    after(() => sql("drop table sessions; drop table secret_of_admin; drop role sessions_owner"));

    it("are deleted where they match, with the owner's rights and no more", async () => {
      assert.equal(await clear("id <= 4 -- the old ones"), 4);
      await assert.rejects(clear("id in (select id from secret_of_admin)"), /permission denied/);
      await assert.rejects(clear("true); drop table sessions; select (1"), /multiple commands/);
      assert.equal(await clear("true"), 6);
    });
  });

  describe("key tables", () => {
    it("are counted exactly; one that is missing is left out", async () => {
      await sql('create schema odd; create table odd."Key Table" as select generate_series(1, 1234) as id');
      const facts = await withClient(server, "postgres", (client) =>
        tableFacts(client, ["odd.Key Table", "absent"]),
      );
      assert.deepEqual([...facts.keys()], ["odd.Key Table"]);
      assert.equal(facts.get("odd.Key Table")?.rows, 1234);
      assert.ok((facts.get("odd.Key Table")?.bytes ?? 0) > 8192);
      await sql("drop schema odd cascade");
    });
  });
});
