import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { docker } from "../../../operations/docker/run.ts";
import { beginAdoption, type Adoption } from "../../support/adoption.ts";
import { until } from "../../support/compose-project.ts";
import { changedResources } from "../../support/stack-events.ts";

const file = z.looseObject({ config: z.record(z.string(), z.record(z.string(), z.unknown())) });

describe("from a compose project to a stack", function () {
  this.timeout(300_000);
  let adoption: Adoption;
  let compose: Adoption["compose"];
  let stack: Adoption["stack"];

  const { init, ask, psql, running, adjust } = {
    init: (...args: readonly string[]) => adoption.init(...args),
    ask: (way: string) => adoption.ask(way),
    psql: (sql: string) => adoption.psql(sql),
    running: () => adoption.running(),
    adjust: () => adoption.adjust(),
  };
  const configuration = async (): Promise<z.output<typeof file>> =>
    file.parse(parse(await readFile(stack.file, "utf8")));
  const uploads = (): string => `${stack.names.network}-web-srv-uploads`;
  const all = (): string[] => Object.values(compose.containers).sort();

  before(async () => {
    adoption = await beginAdoption();
    ({ compose, stack } = adoption);
  });
  after(() => adoption.remove());

  it("shows the whole file and what the first up will do, without a secret, and changes nothing", async () => {
    const before = await readFile(stack.file, "utf8");
    const { exitCode, all: shown } = await init();
    assert.equal(exitCode, 0, shown);
    assert.match(shown, new RegExp(`volume: ${compose.volume}`));
    assert.match(shown, /DATABASE_URL: \$\{database\.url\}/);
    assert.match(shown, /REDIS_URL: \$\{caches\.cache\.url\}\/0/);
    assert.match(shown, /stops .*-nginx-1, .*-web-1, .*-cache-1, .*-db-1/);
    assert.match(shown, /meal of .* can still log in as superuser/);
    assert.match(shown, new RegExp(`${uploads()} over ${compose.folder}/uploads`));
    for (const secret of [compose.password, compose.apiKey]) assert.ok(!shown.includes(secret), shown);
    assert.equal(await readFile(stack.file, "utf8"), before);
    assert.deepEqual(await running(), all());
  });

  it("writes a file that the program takes, its secrets encrypted, and never over another one", async () => {
    const { exitCode, all: shown } = await init("--write");
    assert.equal(exitCode, 0, shown);
    const text = await readFile(stack.file, "utf8");
    for (const secret of [compose.password, compose.apiKey]) assert.ok(!text.includes(secret), text);
    const { config } = await configuration();
    assert.deepEqual(config["rollback:live"], { "1.2.0": 100 });
    assert.deepEqual(config["rollback:services"], {
      web: {
        port: 8080,
        public: { port: compose.port },
        database: "meal_planner",
        health: "/health",
        env: {
          API_KEY: { secret: "apiKey" },
          DATABASE_URL: "${database.url}",
          GREETING: "costs $${5}",
          REDIS_URL: "${caches.cache.url}/0",
        },
        volumes: { "/srv/uploads": uploads() },
      },
    });
    const cluster = config["rollback:cluster"] ?? {};
    assert.deepEqual(
      { volume: cluster["volume"], settings: cluster["settings"] },
      { volume: compose.volume, settings: { max_connections: "60", work_mem: "8MB" } },
    );
    assert.deepEqual(config["rollback:databases"], {
      meal_planner: {
        migrations: path.join(compose.folder, "gleam/migrations_pg"),
        layout: "meal-planner",
        writers: ["reporting"],
      },
    });
    assert.deepEqual(Object.keys(config["rollback:secrets"] ?? {}).sort(), ["apiKey", "db"]);
    const again = await init("--write");
    assert.match(again.all, /refused INIT_EXISTS/);
    assert.equal(await readFile(stack.file, "utf8"), text);
    assert.deepEqual(await running(), all());
  });

  it("says in a preview what will be stopped and taken over, and stops nothing", async () => {
    await adjust();
    const { output } = await stack.preview();
    assert.match(output, /dumps meal_planner from .*-db-1 first/);
    assert.match(output, /stops .*-nginx-1, .*-web-1, .*-cache-1, .*-db-1 and keeps them/);
    assert.match(output, new RegExp(`takes the data volume ${compose.volume} over as it is`));
    assert.deepEqual(await running(), all());
    assert.equal((await ask("/health")).status, 200);
  });

  it("refuses to take over what another release's schema would change", async () => {
    const text = await readFile(stack.file, "utf8");
    await stack.write(stack.file, text.replace('meal_planner: "20"', 'meal_planner: "21"'));
    const { output } = await stack.up({ expectFailure: true });
    await stack.write(stack.file, text);
    assert.match(output, /refused TAKEOVER_SCHEMA: meal_planner is at 20, and the live release wants 21/);
    assert.deepEqual(await running(), all());
  });

  it("takes over in the first up, and serves", async () => {
    const { output } = await stack.up();
    assert.match(output, /dump from .*-db-1: 1 database, .* read back in full/);
    assert.match(output, /objects belong to meal_planner_owner from now on/);
    assert.deepEqual(await running(), []);
    assert.deepEqual(await ask("/api/logs"), { status: 200, release: "1.2.0" });
    const web = (await stack.containers()).find(({ labels }) => labels["rollback.service"] === "web");
    assert.equal(await docker(["exec", web?.name ?? "", "cat", "/srv/uploads/soup.jpg"]), "soup");
  });

  it("has every row, on the volume that had them, under the owner role", async () => {
    assert.equal(await psql("SELECT count(*) FROM users"), "500");
    const mounts = await docker([
      "inspect",
      "--format",
      "{{range .Mounts}}{{.Name}} {{end}}",
      stack.names.postgres,
    ]);
    assert.ok(mounts.split(" ").includes(compose.volume), mounts);
    const owners = `SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace`;
    assert.equal(await psql(owners), "meal_planner_owner");
    assert.equal(
      await psql("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'secret_sum'"),
      "meal",
    );
    assert.equal(await psql("SHOW work_mem"), "8MB");
    const differs =
      "SELECT count(*) FROM pg_database WHERE datcollversion <> pg_database_collation_actual_version(oid)";
    assert.equal(await psql(differs), "0");
  });

  it("finds nothing to do afterwards, not after a refresh and not without the key either", async () => {
    assert.deepEqual(changedResources((await stack.up({ args: ["--expect-no-changes"] })).events), {});
    await stack.refresh();
    assert.deepEqual(changedResources((await stack.up({ args: ["--expect-no-changes"] })).events), {});
  });

  it("deploys the next release on it and takes it back", async () => {
    const text = await readFile(stack.file, "utf8");
    const image = z
      .object({ Id: z.string() })
      .array()
      .parse(JSON.parse(await docker(["image", "inspect", "meal-planner:v1.2.1"])));
    const next = parse(text) as { config: Record<string, Record<string, unknown>> };
    next.config["rollback:releases"] = {
      ...next.config["rollback:releases"],
      "1.2.1": {
        services: { web: { image: "meal-planner:v1.2.1", digest: image[0]?.Id } },
        schema: { meal_planner: "23" },
      },
    };
    next.config["rollback:live"] = { "1.2.1": 100 };
    await stack.write(stack.file, JSON.stringify(next));
    await stack.up();
    assert.deepEqual(await ask("/api/logs"), { status: 200, release: "1.2.1" });
    await stack.write(stack.file, text);
    await stack.up();
    assert.deepEqual(await ask("/api/logs"), { status: 200, release: "1.2.0" });
    assert.equal(await psql("SELECT count(*) FROM users"), "500");
  });

  it("leaves the way back to what ran before", async () => {
    const own = await docker(["ps", "-q", "--filter", `label=rollback.stack=${stack.label}`]);
    await docker(["stop", ...own.split("\n")], { timeoutMs: 120_000 });
    await docker(["start", compose.containers.db]);
    await until(() => compose.sql("SELECT 1"));
    await docker(["start", compose.containers.cache, compose.containers.web, compose.containers.nginx]);
    await until(async () => assert.equal((await ask("/api/logs")).status, 200));
    assert.equal(await compose.sql("SELECT count(*) FROM users"), "500");
  });
});
