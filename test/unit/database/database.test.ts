import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import pg from "pg";
import { clientConfig, connect } from "../../../operations/database/connection.ts";
import { asServerError, isAbsent, isUnreachable } from "../../../operations/database/errors.ts";
import { loginStatements } from "../../../operations/database/fence.ts";
import type { SettingState } from "../../../operations/database/observe.ts";
import { identifier } from "../../../operations/database/query.ts";
import { refuseSuperusers } from "../../../operations/database/roles.ts";
import { trialArguments } from "../../../operations/database/settings-trial.ts";
import type { SettingRecord } from "../../../operations/database/settings-record.ts";
import {
  alterSystem,
  describeSettings,
  differingSettings,
  planServerSettings,
  sameValue,
  settingsToTry,
} from "../../../operations/database/settings.ts";
import { compareKeyTables, qualified } from "../../../operations/database/tables.ts";
import { isRefusal } from "../../../settings/refusal.ts";

const refusedAs =
  (code: string) =>
  (error: unknown): boolean =>
    isRefusal(error, code);

function databaseError(code: string, message = "words of PostgreSQL"): pg.DatabaseError {
  const error = new pg.DatabaseError(message, 0, "error");
  error.code = code;
  return error;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe("connection errors", () => {
  const where = { host: "db", port: 5432, user: "app", database: "shop" };
  const codeFor = (error: unknown): string => {
    const mapped = asServerError(error, where);
    return isRefusal(mapped) ? mapped.code : "passed on";
  };

  for (const [what, error, code] of [
    ["nobody listens", systemError("ECONNREFUSED"), "SERVER_UNREACHABLE"],
    [
      "nobody listens on any address",
      new AggregateError([systemError("ECONNREFUSED"), systemError("ECONNREFUSED")], ""),
      "SERVER_UNREACHABLE",
    ],
    ["the name does not resolve", systemError("ENOTFOUND"), "SERVER_UNREACHABLE"],
    ["time is up", new Error("timeout expired"), "SERVER_UNREACHABLE"],
    [
      "the proxy of a starting container hangs up",
      new Error("Connection terminated unexpectedly"),
      "SERVER_UNREACHABLE",
    ],
    ["the server starts up", databaseError("57P03"), "SERVER_UNREACHABLE"],
    ["the server shuts down", databaseError("57P01"), "SERVER_UNREACHABLE"],
    ["a file of it is gone", databaseError("58P01"), "SERVER_UNREACHABLE"],
    ["a file of it is damaged", databaseError("XX001"), "SERVER_UNREACHABLE"],
    ["the password is wrong", databaseError("28P01"), "SERVER_AUTH"],
    ["pg_hba.conf has no line for us", databaseError("28000"), "SERVER_AUTH"],
    [
      "the password is empty",
      new Error("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string"),
      "SERVER_AUTH",
    ],
    ["there is no TLS", new Error("The server does not support SSL connections"), "SERVER_TLS"],
    ["the certificate is self-made", systemError("DEPTH_ZERO_SELF_SIGNED_CERT"), "SERVER_TLS"],
    ["all connections are taken", databaseError("53300"), "SERVER_FULL"],
    ["the database does not exist", databaseError("3D000"), "passed on"],
    ["the program is wrong", new TypeError("x is undefined"), "passed on"],
  ] as const) {
    it(`${code} when ${what}`, () => {
      assert.equal(codeFor(error), code);
      assert.equal(isUnreachable(asServerError(error, where)), code === "SERVER_UNREACHABLE");
    });
  }

  it("tell an absent object from a missing right", () => {
    assert.ok(isAbsent(databaseError("42P01")) && isAbsent(databaseError("3D000")));
    assert.ok(!isAbsent(databaseError("42501")));
  });
});

describe("TLS modes", () => {
  const server = { host: "h", port: 1, user: "u", password: "p" };
  const ssl = (mode: "disable" | "require" | "verify-ca" | "verify-full"): unknown =>
    clientConfig({ ...server, ssl: mode }, "d", {}).ssl;

  it("mean what libpq means by them", () => {
    assert.equal(ssl("disable"), false);
    assert.deepEqual(ssl("require"), { rejectUnauthorized: false });
    assert.deepEqual(ssl("verify-full"), { rejectUnauthorized: true });
    assert.deepEqual(Object.keys(ssl("verify-ca") as object), ["rejectUnauthorized", "checkServerIdentity"]);
  });
});

describe("a server or pooler that takes no settings when a connection is made", () => {
  /** Answers every start-up that has `unknown` with this SQLSTATE, and lets the others in. */
  async function lend(
    state: string,
    work: (port: number, started: readonly string[]) => Promise<void>,
    unknown = "tcp_keepalives_idle",
  ) {
    const message = (type: string, body: string): Buffer => {
      const text = Buffer.from(body);
      const length = Buffer.alloc(4);
      length.writeInt32BE(text.length + 4);
      return Buffer.concat([Buffer.from(type), length, text]);
    };
    const started: string[] = [];
    const peer = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (start) => {
        started.push(start.toString("latin1"));
        if (start.includes(unknown))
          socket.end(message("E", `SFATAL\0C${state}\0Munsupported startup parameter: options\0\0`));
        else socket.write(Buffer.concat([message("R", "\0\0\0\0"), message("Z", "I")]));
      });
    }).listen(0, "127.0.0.1");
    await once(peer, "listening");
    try {
      const address = peer.address();
      await work(typeof address === "object" && address !== null ? address.port : 0, started);
    } finally {
      peer.close();
    }
  }
  const at = (port: number) => ({
    host: "127.0.0.1",
    port,
    user: "u",
    password: "p",
    ssl: "disable" as const,
  });

  for (const state of ["08P01", "42704", "22023"]) {
    it(`is connected with without them (${state})`, () =>
      lend(state, async (port, started) => {
        const client = await connect(at(port), "d");
        client.connection.stream.destroy();
        assert.deepEqual(
          started.map((each) => each.includes("options")),
          [true, true, false],
        );
      }));
  }

  it("is still told how long a silent line may last where it only cannot look for its client meanwhile", () =>
    lend(
      "42704",
      async (port, started) => {
        const client = await connect(at(port), "d");
        client.connection.stream.destroy();
        assert.deepEqual(
          started.map((each) => each.includes("tcp_keepalives_idle")),
          [true, true],
        );
      },
      "client_connection_check_interval",
    ));

  it("is not asked twice where something else is wrong", () =>
    lend("28P01", async (port, started) => {
      await assert.rejects(connect(at(port), "d"), refusedAs("SERVER_AUTH"));
      assert.equal(started.length, 1);
    }));
});

describe("names in SQL", () => {
  it("are quoted", () => {
    assert.equal(identifier('a"b'), '"a""b"');
    assert.equal(qualified("audit.Entry one"), '"audit"."Entry one"');
    assert.equal(qualified("meals"), '"public"."meals"');
    assert.deepEqual(loginStatements(['x"; drop role y; --'], "NOLOGIN"), [
      'ALTER ROLE "x""; drop role y; --" NOLOGIN',
    ]);
  });

  it("that PostgreSQL would cut short, and so mean another object, are refused", () => {
    for (const name of ["", "x".repeat(64), "ä".repeat(32), "a\0b"]) {
      assert.throws(() => identifier(name), refusedAs("NAME_IMPOSSIBLE"));
    }
    assert.equal(identifier("x".repeat(63)).length, 65);
  });
});

describe("roles", () => {
  it("that are superusers are refused by name", () => {
    const role = (
      name: string,
      superuser: boolean,
    ): Parameters<typeof refuseSuperusers>[0] extends Iterable<infer R> ? R : never => ({
      ...{ name, superuser, login: true, sessions: 0 },
    });
    refuseSuperusers([role("app", false)]);
    assert.throws(
      () => refuseSuperusers([role("app", false), role("root", true)]),
      (error) =>
        isRefusal(error, "APP_IS_SUPERUSER") &&
        error.message.includes("root") &&
        !/\bapp\b/.test(error.message),
    );
  });
});

describe("key tables", () => {
  const facts = (rows: number): { rows: number; bytes: number } => ({ rows, bytes: 8192 });
  const before = new Map([
    ["meals", facts(100)],
    ["logs", facts(100)],
    ["gone", facts(3)],
    ["empty", facts(0)],
  ]);

  it("that lost more than their tolerance are named, with how many", () => {
    const after = new Map([
      ["meals", facts(94)],
      ["logs", facts(94)],
      ["empty", facts(0)],
      ["fresh", facts(1)],
    ]);
    const tolerances = [
      { table: "meals", tolerance: 0.05 },
      { table: "logs", tolerance: 0.06 },
      { table: "gone", tolerance: 0.5 },
      { table: "empty", tolerance: 0 },
      { table: "fresh", tolerance: 0 },
    ];
    assert.deepEqual(compareKeyTables(before, after, tolerances), [
      { table: "meals", before: 100, after: 94, lost: 6, allowed: 5 },
      { table: "gone", before: 3, after: undefined, lost: 3, allowed: 1 },
    ]);
  });

  it("may vanish only when all their rows may; an empty one counts as well", () => {
    assert.deepEqual(compareKeyTables(before, new Map(), [{ table: "gone", tolerance: 1 }]), []);
    assert.equal(compareKeyTables(before, new Map(), [{ table: "empty", tolerance: 0 }]).length, 1);
  });
});

describe("server settings", () => {
  const state = (name: string, setting: string, more: Partial<SettingState> = {}): [string, SettingState] => [
    name,
    {
      ...{
        name,
        setting,
        unit: null,
        context: "user",
        vartype: "integer",
        source: "default",
        pendingRestart: false,
        written: null,
      },
      ...more,
    },
  ];
  const observed = (
    states: [string, SettingState][],
    recorded: SettingRecord = {},
  ): Parameters<typeof planServerSettings>[0] => ({ settings: new Map(states), recorded });
  const entry = (value: string, setting: string, before: string | null = null): SettingRecord[string] => ({
    value,
    setting,
    before,
  });

  it("are tried only when their text is not the recorded one", () => {
    const seen = observed([state("work_mem", "65536"), state("geqo", "on")], {
      work_mem: entry("64MB", "65536"),
    });
    const desired = new Map([
      ["work_mem", "64MB"],
      ["geqo", "off"],
    ]);
    assert.deepEqual([...settingsToTry(seen, desired).keys()], ["geqo"]);
  });

  it("that run as recorded are no change, whatever their spelling on the server", () => {
    const seen = observed([state("log_file_mode", "0600", { written: "0600" })], {
      log_file_mode: entry("0600", "384"),
    });
    const desired = new Map([["log_file_mode", "0600"]]);
    assert.deepEqual(planServerSettings(seen, desired, new Map()).changes, []);
    assert.deepEqual(differingSettings(seen, desired), { reload: [], restart: [] });
    assert.ok(sameValue("0600", "384") && !sameValue("600", "384"));
  });

  it("that left the configuration go back to what was there before us", () => {
    const seen = observed(
      [
        state("work_mem", "65536", { written: "64MB" }),
        state("max_connections", "50", { written: "50", context: "postmaster" }),
      ],
      { work_mem: entry("64MB", "65536", "8MB"), max_connections: entry("50", "50") },
    );
    const plan = planServerSettings(seen, new Map(), new Map());
    assert.deepEqual(
      plan.changes.map(({ name, write, restart }) => [name, write, restart]),
      [
        ["work_mem", "8MB", false],
        ["max_connections", null, true],
      ],
    );
    assert.deepEqual(plan.record, {});
    assert.deepEqual(Object.keys(plan.recordMeanwhile), ["work_mem", "max_connections"]);
  });

  it("remember the first value that was there before us, not our own", () => {
    const seen = observed([state("work_mem", "65536", { written: "64MB" })], {
      work_mem: entry("64MB", "65536", "8MB"),
    });
    const plan = planServerSettings(seen, new Map([["work_mem", "32MB"]]), new Map([["work_mem", "32768"]]));
    assert.deepEqual(plan.record, { work_mem: entry("32MB", "32768", "8MB") });
  });

  it("that wait for a restart after a killed run are still a change", () => {
    const waiting = state("max_connections", "100", {
      context: "postmaster",
      written: "50",
      pendingRestart: true,
    });
    const seen = observed([waiting], { max_connections: entry("50", "50") });
    assert.deepEqual(planServerSettings(seen, new Map([["max_connections", "50"]]), new Map()).restart, [
      "max_connections",
    ]);
  });

  it("that need no other value need no restart", () => {
    const seen = observed([state("max_connections", "100", { context: "postmaster" })]);
    const plan = planServerSettings(
      seen,
      new Map([["max_connections", "100"]]),
      new Map([["max_connections", "100"]]),
    );
    assert.deepEqual([plan.reload, plan.restart], [["max_connections"], []]);
  });

  it("are refused when unknown, read only, the stack's own or overridden on the command line", () => {
    const refusedFor = (states: [string, SettingState][], name: string, code: string): void =>
      assert.throws(() => {
        const seen = observed(states);
        settingsToTry(seen, new Map([[name, "1"]]));
        planServerSettings(seen, new Map([[name, "1"]]), new Map([[name, "1"]]));
      }, refusedAs(code));
    refusedFor([], "wrok_mem", "SETTING_UNKNOWN");
    refusedFor([state("block_size", "8192", { context: "internal" })], "block_size", "SETTING_INVALID");
    for (const name of ["port", "LISTEN_addresses", "recovery_target_time", "rollback.settings"]) {
      refusedFor([state(name, "x")], name, "SETTING_INVALID");
    }
    refusedFor([state("work_mem", "4096", { source: "command line" })], "work_mem", "SETTING_OVERRIDDEN");
    settingsToTry(observed([]), new Map([["pg_stat_statements.max", "1"]]));
  });

  it("are known by any case of their name", () => {
    const seen = observed([state("TimeZone", "UTC")]);
    assert.deepEqual([...settingsToTry(seen, new Map([["timezone", "UTC"]])).keys()], ["timezone"]);
  });

  it("are described in the server's unit", () => {
    const seen = observed([state("work_mem", "4096", { unit: "kB" })]);
    const plan = planServerSettings(seen, new Map([["work_mem", "64MB"]]), new Map([["work_mem", "65536"]]));
    assert.deepEqual(describeSettings(plan, seen), ["work_mem: 4096 × kB → 64MB (reload)"]);
  });

  it("are written as one text, lists of names as a list", () => {
    assert.equal(alterSystem("work_mem", "64MB"), `ALTER SYSTEM SET "work_mem" = '64MB'`);
    assert.equal(alterSystem("a.b", "it's"), `ALTER SYSTEM SET "a"."b" = 'it''s'`);
    assert.equal(alterSystem("a.b", null), `ALTER SYSTEM RESET "a"."b"`);
    const list = 'one, "Two, too","th""ree"';
    assert.equal(
      alterSystem("shared_preload_libraries", list),
      `ALTER SYSTEM SET "shared_preload_libraries" = 'one', 'Two, too', 'th"ree'`,
    );
    assert.equal(
      alterSystem("shared_preload_libraries", ""),
      `ALTER SYSTEM SET "shared_preload_libraries" = ''`,
    );
  });

  it("are tried with values no shell ever reads", () => {
    const settings = new Map([["work_mem", "$(reboot)'; x"]]);
    assert.deepEqual(trialArguments({ container: "c" }, settings, false), [
      ...["exec", "-i", "-u", "postgres", "c", "sh", "-s", "read", "work_mem", "$(reboot)'; x"],
    ]);
    const run = trialArguments({ image: "i" }, settings, true);
    assert.deepEqual(run.slice(-6), ["sh", "i", "-s", "start", "work_mem", "$(reboot)'; x"]);
    assert.equal(run[0], "run");
  });
});
