import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { catalogue, releaseNames, type ReleaseName } from "../../examples/meal-planner/catalogue.ts";
import { seedMealie, seedMealPlanner, sizeTimes } from "../../examples/meal-planner/seed.ts";
import { docker } from "../../operations/docker/run.ts";
import { askUntil, scripts, startExampleBench, type ExampleBench } from "../support/example.ts";
import { findClientRefs, startLoad, verifyRows } from "../support/load.ts";

const apiKey = "key-of-the-example-test";
const flagsFile = "/tmp/flags.json";

/** Whether the catalogue says that a release runs on a schema of the planner's. */
function declared(release: ReleaseName, version: number): boolean {
  const { schema, compatible } = catalogue[release];
  const [from = "", to = from] = (compatible.meal_planner ?? schema.meal_planner).split("..");
  return version >= Number(from) && version <= Number(to);
}

describe("the example's services", function () {
  this.timeout(120_000);
  let bench: ExampleBench;
  let planner: Client;
  const containers = new Map<ReleaseName, string>();
  const urls = new Map<ReleaseName, string>();
  let mealie: string;
  let redis: string;

  before(async () => {
    bench = await startExampleBench();
    await bench.createDatabases();
    planner = await bench.connect("meal_planner");
    await planner.query("CREATE EXTENSION pg_trgm");
    for (let version = 1; version <= 20; version++)
      await planner.query(scripts("meal_planner").get(version) ?? "");
    await seedMealPlanner(planner, sizeTimes(0.01));
    const client = await bench.connect("mealie");
    for (let version = 1; version <= 4; version++) await client.query(scripts("mealie").get(version) ?? "");
    await seedMealie(client, sizeTimes(0.01));
    await client.end();

    mealie = await bench.start("mealie:v1.0.3", { DATABASE_URL: bench.databaseUrl("mealie"), PORT: "8080" });
    redis = await bench.start("rollback-redis:8");
    for (const release of releaseNames) {
      const container = await bench.start(catalogue[release].services["meal-planner"].image, {
        DATABASE_URL: bench.databaseUrl("meal_planner"),
        MEALIE_URL: `http://${mealie}:8080`,
        REDIS_URL: `redis://${redis}:6379`,
        API_KEY: apiKey,
        FLAGS_FILE: flagsFile,
        RELEASE: release,
      });
      containers.set(release, container);
      urls.set(release, await bench.url(container));
    }
    await askUntil(`${await bench.url(mealie)}/health`, (response) => response.ok);
  });
  after(async () => {
    await planner.end();
    await bench.remove();
  });

  const url = (release: ReleaseName) => urls.get(release) ?? assert.fail(release);
  const container = (release: ReleaseName) => containers.get(release) ?? assert.fail(release);
  const post = (base: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${base}${path}`, { method: "POST", body: JSON.stringify(body), headers });
  const json = async (response: Response) => (await response.json()) as Record<string, unknown>;

  /** Puts flags where the containers look, and asks one to read them. */
  async function reload(release: ReleaseName, text: string): Promise<Response> {
    await docker(["exec", "-i", container(release), "sh", "-c", `cat > ${flagsFile}`], { input: text });
    return post(url(release), "/admin/reload-config", {}, { "x-api-key": apiKey });
  }

  for (const version of [20, 21, 22, 23]) {
    it(`are healthy on schema ${version} where the catalogue says so, and only there`, async () => {
      if (version > 20) await planner.query(scripts("meal_planner").get(version) ?? "");
      for (const release of releaseNames) {
        const fit = declared(release, version) && release !== "1.2.2";
        const response = await askUntil(
          `${url(release)}/health`,
          ({ status }) => status === (fit ? 200 : 503),
        );
        const answer = await json(response);
        assert.equal(answer["status"], fit ? "ok" : "unfit", `${release}: ${JSON.stringify(answer)}`);
        assert.equal(response.headers.get("x-release"), release);
      }
    });
  }

  it("fails the health check of 1.2.2 on the very schema it was made for", async () => {
    const response = await fetch(`${url("1.2.2")}/health`);
    assert.deepEqual(
      [response.status, (await json(response))["missing"]],
      [503, ["nutrition cache: could not be filled"]],
    );
  });

  it("write and read entries and plans; from 1.2.1 on a plan keeps its recipes", async () => {
    const entry = { clientId: "entry-1", food: "Rye bread", calories: 210, recipe: "rye-bread" };
    assert.equal((await post(url("1.2.1"), "/api/logs", entry)).status, 201);
    const logs = (await json(await fetch(`${url("1.2.1")}/api/logs?limit=1`)))["logs"] as Record<
      string,
      unknown
    >[];
    assert.deepEqual([logs[0]?.["client_ref"], logs[0]?.["source_type"]], ["entry-1", "mealie_recipe"]);

    const recipes = [{ id: "rye-bread", name: "Rye bread", slot: "breakfast" }];
    for (const release of ["1.2.1-rc1", "1.2.1"] as const) {
      const response = await post(url(release), "/api/meal-plans", {
        clientId: release,
        date: "2026-02-01",
        recipes,
      });
      assert.equal(response.status, 201);
    }
    const { rows } = await planner.query(
      `SELECT client_ref, recipe_json, (SELECT count(*)::int FROM meal_selections WHERE plan_id = p.id) AS dishes
       FROM auto_meal_plans p WHERE client_ref LIKE '1.2.1%' ORDER BY p.id`,
    );
    assert.deepEqual(rows, [
      { client_ref: "1.2.1-rc1", recipe_json: null, dishes: 1 },
      { client_ref: "1.2.1", recipe_json: recipes, dishes: 1 },
    ]);
  });

  it("refuse what is not a valid entry or plan with 400, and an unknown path with 404", async () => {
    const base = url("1.2.1");
    for (const body of [null, {}, { food: "x", calories: -1 }, { food: "x", calories: 1, slot: "tea" }])
      assert.equal((await post(base, "/api/logs", body)).status, 400, JSON.stringify(body));
    for (const body of [
      { date: "2026-01-01", recipes: [] },
      { date: "1 May" },
      { date: "2026-01-01", recipes: [null] },
    ])
      assert.equal((await post(base, "/api/meal-plans", body)).status, 400, JSON.stringify(body));
    assert.equal((await fetch(`${base}/api/unknown`)).status, 404);
  });

  it("serve meals from our own tables or from Mealie as the flag says, and say so in the log", async () => {
    const base = url("1.2.1");
    assert.equal((await reload("1.2.1", '{"FEATURE_MEALIE_ENABLED":"false"}')).status, 200);
    const legacy = await json(await fetch(`${base}/api/meals?q=lentil`));
    assert.equal(legacy["source"], "legacy");
    assert.equal((await reload("1.2.1", '{"FEATURE_MEALIE_ENABLED":"true"}')).status, 200);
    const answer = await json(await fetch(`${base}/api/meals`));
    assert.deepEqual([answer["source"], (answer["meals"] as unknown[]).length], ["mealie", 20]);
    const log = await docker(["logs", container("1.2.1")]);
    assert.match(log, /"using legacy"/);
    assert.match(log, /configuration reloaded: \{FEATURE_MEALIE_ENABLED=true\}/);
  });

  it("keep Mealie's answers in Redis, in the shape of the release that asked first, and do without a Redis", async () => {
    await reload("1.2.3", '{"FEATURE_MEALIE_ENABLED":"true"}');
    const fields = async (release: ReleaseName) => {
      const answer = await json(await fetch(`${url(release)}/api/meals?limit=7`));
      return Object.keys((answer["meals"] as object[])[0] ?? {});
    };
    assert.deepEqual(await fields("1.2.3"), ["slug", "name", "calories", "protein"]);
    assert.deepEqual(await fields("1.2.1"), ["slug", "name", "calories", "protein"]);
    await docker(["exec", redis, "redis-cli", "DEL", "meals:7:"]);
    assert.deepEqual(await fields("1.2.1"), ["slug", "name", "calories"]);
    await docker(["stop", redis]);
    assert.equal((await fetch(`${url("1.2.1")}/api/meals`)).status, 200);
  });

  it("reload flags only with the key, and keep the former ones when the file is broken", async () => {
    assert.equal((await post(url("1.2.1"), "/admin/reload-config", {})).status, 403);
    assert.equal(
      (await post(url("1.2.1"), "/admin/reload-config", {}, { "x-api-key": "wrong" })).status,
      403,
    );
    await reload("1.2.1", '{"FEATURE_MEALIE_ENABLED":"false"}');
    assert.equal((await reload("1.2.1", "not JSON")).status, 500);
    assert.equal((await json(await fetch(`${url("1.2.1")}/api/meals`)))["source"], "legacy");
  });

  it("run without root, and never write their secrets into the log", async () => {
    assert.equal(await docker(["exec", container("1.2.1"), "id", "-u"]), "10001");
    const logs = await Promise.all([...containers.values()].map((name) => docker(["logs", name])));
    assert.doesNotMatch(logs.join("\n"), new RegExp(`${apiKey}|${bench.postgres.server.password}`));
  });

  it("answer 503 while they may not log in, and recover by themselves when they may", async () => {
    const role = "planner_login";
    await planner.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p' IN ROLE pg_read_all_data, pg_write_all_data`);
    const databaseUrl = `postgresql://${role}:p@${bench.postgres.container}:5432/meal_planner`;
    const own = await bench.url(await bench.start("meal-planner:v1.2.1", { DATABASE_URL: databaseUrl }));
    assert.equal((await askUntil(`${own}/health`, (response) => response.ok)).status, 200);
    await planner.query(`ALTER ROLE ${role} NOLOGIN`);
    await planner.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [role]);
    const closed = await fetch(`${own}/api/logs`);
    assert.deepEqual([closed.status, closed.headers.get("retry-after")], [503, "1"]);
    await planner.query(`ALTER ROLE ${role} LOGIN`);
    assert.equal((await fetch(`${own}/api/logs`)).status, 200);
  });

  it("lose no acknowledged write and fail no request under load", async () => {
    const load = await startLoad({ url: url("1.2.1") });
    await sleep(3000);
    const { report } = await load.stop();
    assert.deepEqual([report.failed, report.failures], [0, []]);
    assert.ok(report.requests > 300 && report.acknowledged.length > 50, `${report.requests} requests`);
    const check = await verifyRows(report.acknowledged, async (ids) => {
      const { rows } = await planner.query<{ client_ref: string }>(findClientRefs, [ids]);
      return rows.map((row) => row.client_ref);
    });
    assert.deepEqual([check.lost, check.duplicated], [[], []]);
    assert.deepEqual((await verifyRows(["never sent"], () => Promise.resolve([]))).lost, ["never sent"]);
  });

  // The last test: it stops the container.
  it("finish what is under way when they are told to stop, and exit with 0", async () => {
    const locker = await bench.connect("meal_planner");
    await locker.query("BEGIN");
    await locker.query("LOCK TABLE food_logs IN EXCLUSIVE MODE");
    const pending = post(url("1.2.3"), "/api/logs", { clientId: "last-one", food: "Apple", calories: 52 });
    await sleep(500);
    const stopped = docker(["stop", container("1.2.3")]);
    await sleep(500);
    await assert.rejects(fetch(`${url("1.2.3")}/health`), "no new connection");
    await locker.query("COMMIT");
    await locker.end();
    const response = await pending;
    assert.deepEqual([response.status, response.headers.get("connection")], [201, "close"]);
    await stopped;
    assert.equal(await docker(["inspect", "-f", "{{.State.ExitCode}}", container("1.2.3")]), "0");
  });
});
