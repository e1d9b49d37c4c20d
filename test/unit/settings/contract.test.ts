import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parse } from "yaml";
import { z } from "zod";
import { editorSchema } from "../../../settings/editor-schema.ts";
import { parseSettings, readSettings } from "../../../settings/parse.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { configuration, supported, wholeContract, type Change } from "./example.ts";
import { contractKeys } from "./keys.ts";
import { mistakesIn } from "./refused.ts";

describe("the stack configuration", () => {
  it("is accepted with every key of the contract", () => {
    const settings = readSettings(configuration());
    assert.deepEqual([...settings.releases.keys()], ["1.2.0", "1.2.1"]);
    assert.deepEqual(settings.live, [{ release: "1.2.1", weight: 100 }]);
    assert.deepEqual(settings.standby, ["1.2.0"]);
    assert.deepEqual(settings.releases.get("1.2.0")?.compatible.get("meal_planner"), {
      from: "22",
      to: "23",
    });
    assert.deepEqual(
      settings.releases.get("1.2.0")?.services.get("meal-planner")?.flags.get("FEATURE_MEALIE_ENABLED"),
      "true",
    );
    assert.deepEqual(settings.recovery, {
      volume: "pgdata-2",
      from: "pgdata-1",
      target: { kind: "before", release: "1.2.1" },
      laterWrites: "keep",
    });
    assert.deepEqual(settings.gateway, {
      hold: 30_000,
      held: 10_000,
      drain: 10_000,
      sticky: { by: "cookie", name: "canary" },
      browsers: undefined,
      existing: {
        folder: "/etc/nginx/conf.d",
        reload: ["docker", "exec", "edge", "nginx", "-s", "reload"],
        test: ["docker", "exec", "edge", "nginx", "-t"],
        container: { name: "edge", network: "web" },
      },
    });
    assert.equal(settings.safety.rehearsal, "required");
    assert.deepEqual(settings.secrets.names, ["db", "apiKey"]);
  });

  it("counts durations in milliseconds, sizes in megabytes and tolerances as shares", () => {
    const settings = readSettings(configuration());
    const service = settings.services.get("meal-planner");
    assert.equal(service?.healthDeadline, 30_000);
    assert.equal(service.memory, 256);
    assert.deepEqual(settings.databases.get("meal_planner")?.keyTables, [
      { table: "food_logs", tolerance: 0 },
      { table: "public.sessions", tolerance: 0.05 },
    ]);
  });

  it("takes a plain path for a GET that expects 200", () => {
    assert.deepEqual(readSettings(configuration()).services.get("meal-planner")?.smoke[0], {
      method: "GET",
      path: "/api/logs",
      status: 200,
      body: undefined,
      json: new Map(),
      timeout: 5000,
    });
  });

  it("puts services after those whose address they mention", () => {
    assert.deepEqual([...readSettings(configuration()).services.keys()], ["mealie", "meal-planner"]);
  });

  it("resolves relative folders from the stack file's, and leaves absolute ones", () => {
    const { databases } = readSettings(configuration());
    assert.equal(databases.get("meal_planner")?.migrations, "/srv/stack/examples/meal-planner/migrations");
    assert.equal(databases.get("mealie")?.migrations, "/srv/mealie/migrations");
  });

  it("writes server settings as PostgreSQL reads them", () => {
    const { cluster } = readSettings(configuration());
    assert.ok(cluster.kind === "own");
    const archive = ["archive_command", "archive_mode", "archive_timeout"];
    assert.ok(
      archive.every((name) => cluster.settings.has(name)),
      "a schedule turns the archive on",
    );
    assert.deepEqual([...cluster.settings].filter(([name]) => !archive.includes(name)).sort(), [
      ["jit", "off"],
      ["max_connections", "200"],
      ["work_mem", "64MB"],
    ]);
  });

  it("sorts live releases by weight, and releases by number", () => {
    const { "1.2.0": old } = wholeContract.releases;
    const settings = readSettings(
      configuration(
        [["releases", "1.10.0"], old],
        [["live"], { "1.10.0": 10, "1.2.0": 10, "1.2.1": 80 }],
        [["standby"], []],
      ),
    );
    assert.deepEqual([...settings.releases.keys()], ["1.2.0", "1.2.1", "1.10.0"]);
    assert.deepEqual(
      settings.live.map(({ release }) => release),
      ["1.2.1", "1.2.0", "1.10.0"],
    );
  });

  it("knows volumes from folders, and keeps dumps in a volume of the stack's own unless told otherwise", () => {
    const repository = (value: unknown) =>
      readSettings(configuration([["cluster", "backup", "repository"], value])).cluster.backup.repository;
    assert.deepEqual(repository(undefined), { volume: "meal-planner-prod-dumps" });
    assert.deepEqual(repository("pgdumps"), { volume: "pgdumps" });
    assert.deepEqual(repository("/var/backups"), { folder: "/var/backups" });
    assert.deepEqual(repository("./dumps"), { folder: "/srv/stack/dumps" });
  });

  it("may describe a server that is somebody else's", () => {
    const external: Change = [
      ["cluster"],
      { external: { host: "db.example.com", user: "admin", password: { secret: "apiKey" } } },
    ];
    assert.deepEqual(parseSettings(supported(external)).cluster, {
      kind: "external",
      host: "db.example.com",
      port: 5432,
      user: "admin",
      password: { secret: "apiKey" },
      sslmode: "verify-full",
      hostForContainers: "db.example.com",
      image: "rollback-postgres:17.1",
      backup: {
        repository: { volume: "meal-planner-prod-dumps" },
        s3: undefined,
        schedule: undefined,
        retention: { dumps: 10, full: 2 },
        changes: undefined,
        encryption: undefined,
      },
    });
  });

  it("needs little: everything else has a default", () => {
    const minimal = {
      releases: { "1": { services: { app: { image: "app:1" } }, schema: { app: "1" } } },
      live: { "1": 100 },
      services: { app: { port: 80, health: "/" } },
      databases: { app: { migrations: "migrations" } },
      cluster: { volume: "data" },
      secrets: { db: "a secret of enough length" },
    };
    const settings = parseSettings({
      project: "p",
      stack: "s",
      folder: "/srv",
      secretKeys: ["secrets"],
      values: minimal,
    });
    assert.deepEqual(settings.gateway, {
      hold: 30_000,
      held: 10_000,
      drain: 10_000,
      sticky: undefined,
      browsers: undefined,
      existing: undefined,
    });
    assert.deepEqual(settings.safety, {
      lockTimeout: 100,
      errorRate: 5,
      responseTime: 5000,
      bake: 60_000,
      onBadBake: "fail",
      onDifference: "refuse",
      capacity: "refuse",
      archive: 15_000,
      opaque: "refuse",
      liveRollback: "off",
      rehearsal: "off",
    });
    assert.deepEqual(
      [settings.standby, settings.caches, settings.recovery, settings.platform],
      [[], new Map(), undefined, "docker"],
    );
    assert.equal(settings.databases.get("app")?.layout, undefined);
    const service = settings.services.get("app");
    assert.deepEqual(
      [service?.replicas, service?.healthDeadline, service?.stopGrace, service?.public],
      [1, 60_000, 10_000, undefined],
    );
  });

  it("reports all mistakes at once, in the order of the contract", () => {
    const lines = mistakesIn(
      configuration(
        [["safety", "bake"], 60],
        [["releases", "1.2.0", "schema", "meal_planner"], 22],
        [["live"], { "1.2.9": 100 }],
        [["services", "meal-planner", "health"], undefined],
        [["services", "mealie", "database"], "mealy"],
      ),
    );
    assert.deepEqual(
      lines.map((line) => line.slice(0, line.indexOf(": "))),
      [
        'rollback:releases["1.2.0"].schema.meal_planner',
        'rollback:live["1.2.9"]',
        "rollback:services.meal-planner.health",
        "rollback:services.mealie.database",
        "rollback:safety.bake",
      ],
    );
  });

  it("is refused for what this version does not carry out, by name, never silently ignored", () => {
    assert.doesNotThrow(() => parseSettings(supported()));
    assert.throws(
      () => parseSettings(configuration()),
      (error) =>
        isRefusal(error, "CONFIG_UNSUPPORTED") && error.message.includes("rollback:safety.rehearsal"),
    );
  });
});

describe("secrets in the stack configuration", () => {
  it("are refused outside rollback:secrets, with the reason, and without reading them", () => {
    const raw = configuration([["cluster", "external"], { host: "hunter2" }], [["recovery"], undefined]);
    const lines = mistakesIn({ ...raw, secretKeys: ["secrets", "cluster"] });
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^rollback:cluster: holds a secret, and only rollback:secrets may\. One `secure:` leaf makes the whole key secret/,
    );
  });

  it("are refused in clear", () => {
    assert.match(
      mistakesIn({ ...configuration(), secretKeys: [] })[0] ?? "",
      /^rollback:secrets: its values stand in clear in the stack file/,
    );
  });

  it("never appear in a message, wherever they were put by mistake", () => {
    const secret = "Tr0ub4dor-3";
    const places: readonly (readonly (string | number)[])[] = [
      ["secrets"],
      ["secrets", "db"],
      ["secrets", "apiKey"],
      ["secrets", "apiKey", "secure"],
      ["services", "meal-planner", "env"],
      ["services", "meal-planner", "env", "API_KEY"],
      ["services", "meal-planner", "env", "API_KEY", "value"],
      ["services", "meal-planner", "reload", "headers"],
      ["services", "meal-planner", "env", "API_KEY", "secret"],
      ["services", "meal-planner", "reload", "headers", "x-api-key", "secret"],
      ["cluster", "external", "password"],
      ["cluster", "external", "password", "secret"],
      ["cluster", "external", "password", "value"],
    ];
    const wrapped = fc.constantFrom<unknown>(
      secret,
      [secret],
      { a: secret },
      { a: [secret] },
      `x\${${secret}}`,
      `\${${secret}`,
      `u:${secret}@h`,
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), wrapped, (path, value) => {
        const text = mistakesIn(configuration([path, value])).join("\n");
        assert.ok(!text.includes(secret), text);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the documentation of the configuration", () => {
  const file = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");

  it("has a row for every key and none for others", () => {
    const rows = [...file("configuration.md").matchAll(/^\| `([a-z][^` ]*)` \|.*\|.*\|.*\|.*\|$/gm)].map(
      ([, key = ""]) => key,
    );
    assert.deepEqual(rows.toSorted(), contractKeys().toSorted());
  });

  it("shows an example that is accepted", () => {
    const [, yaml = ""] = /```yaml\n(config:\n.*?)```/s.exec(file("configuration.md")) ?? [];
    const { config } = z.object({ config: z.record(z.string(), z.unknown()) }).parse(parse(yaml));
    const values = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key.replace("rollback:", ""), value]),
    );
    const secrets = { db: "a secret of enough length", apiKey: "x" };
    const raw = {
      project: "p",
      stack: "s",
      folder: "/srv",
      secretKeys: ["secrets"],
      values: { ...values, secrets },
    };
    assert.deepEqual(mistakesIn(raw), []);
    assert.doesNotThrow(() => parseSettings(raw));
  });

  it("has a JSON schema that is up to date (node settings/write-editor-schema.ts)", () => {
    assert.deepEqual(JSON.parse(file("configuration.schema.json")), editorSchema());
  });
});
