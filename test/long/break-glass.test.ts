import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { docker } from "../../operations/docker/run.ts";
import { askStack } from "../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../support/stack.ts";

const script = path.join(import.meta.dirname, "../../break-glass/rollback.sh");

describe("break glass: backend and passphrase are gone", function () {
  this.timeout(120_000);
  let stack: ScratchStack;
  let restored: string;
  let dump: string;
  const env = { PULUMI_CONFIG_PASSPHRASE: randomBytes(8).toString("hex") };

  /** The script as a person runs it, with nothing but docker at hand; `answer` is what is typed. */
  const run = async (args: readonly string[], answer = ""): Promise<{ code: number; said: string }> => {
    const { exitCode = -1, all } = await execa(script, ["--stack", stack.label, ...args], {
      all: true,
      reject: false,
      input: answer,
    });
    return { code: exitCode, said: all };
  };
  const glass = async (...args: readonly string[]): Promise<string> => {
    const { code, said } = await run(["--yes", ...args]);
    assert.equal(code, 0, said);
    return said;
  };
  const refused = async (args: readonly string[], why: RegExp): Promise<void> => {
    const { code, said } = await run(["--yes", ...args]);
    assert.notEqual(code, 0, said);
    assert.match(said, why);
  };
  const sql = (text: string, database = "meal_planner", server = stack.names.postgres): Promise<string> =>
    docker(["exec", "-i", server, "psql", "-XAtq", "-U", "postgres", "-d", database], { input: text });
  const newest = "SELECT max(version) FROM schema_migrations";
  const write = async (id: string): Promise<void> => {
    const body = JSON.stringify({ clientId: id, slot: "lunch", food: "Soup", calories: 300 });
    const { status, body: said } = await askStack(stack, "/api/logs", { method: "POST", body });
    assert.equal(status, 201, said);
  };
  const written = async (): Promise<string[]> =>
    (await sql("SELECT client_ref FROM food_logs WHERE client_ref LIKE 'glass-%' ORDER BY 1")).split("\n");
  /** An empty backend, another passphrase, other secrets; returns the new `db`. */
  const newBackend = async (): Promise<string> => {
    const secret = randomBytes(40).toString("hex");
    await mkdir(path.join(stack.folder, "state"));
    await stack.pulumi(["stack", "init", "--secrets-provider", "passphrase"], { env });
    for (const [name, input] of Object.entries({ db: secret, apiKey: "another" }))
      await stack.pulumi(["config", "set", "--secret", "--path", `rollback:secrets.${name}`], { env, input });
    return secret;
  };

  before(async () => {
    stack = await createStack();
    restored = `${stack.project}-restored`;
    await stack.configure({ live: { "1.2.0": 100 } });
    await stack.up();
    await write("glass-1");
    await stack.configure({ live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] });
    await stack.up();
    await write("glass-2");
    dump = (await docker(["exec", stack.names.postgres, "ls", "/var/lib/dumps"])).trim();
    await rm(path.join(stack.folder, "state"), { recursive: true });
    await rm(stack.file);
  });
  after(async () => {
    await stack.cleanup();
    await docker(["volume", "rm", "-f", restored]);
  });

  it("shows what is there: containers, schema and reversals, releases on record, dumps", async () => {
    const said = await glass("status");
    for (const line of [/meal_planner is at 23/, /^23\t.*\treversal stored$/m, /^20\t.*\tno reversal$/m])
      assert.match(said, line);
    assert.match(said, /^1\.2\.0\tmeal-planner\tmeal-planner:v1\.2\.0\tsha256:/m);
    assert.ok(said.includes(dump));
  });

  it("asks before it does anything, and takes no answer for a no", async () => {
    const { code, said } = await run(["close"]);
    assert.equal(code, 1);
    assert.match(said, /This will\n {2}- answer every request .*503[^]*nothing was changed/);
    assert.equal((await askStack(stack, "/health")).status, 200);
  });

  it("takes nothing back while a release still uses the database", () =>
    refused(["reverse", "meal_planner", "20"], /still in use: meal_planner_1_2_1/));

  it("closes the gateway and the releases' roles", async () => {
    const { code, said } = await run(["close"], "y\n");
    assert.equal(code, 0, said);
    const { status, retryAfter } = await askStack(stack, "/health");
    assert.deepEqual([status, retryAfter], [503, "5"]);
    const open = "SELECT count(*) FROM pg_roles WHERE rolcanlogin AND rolname ~ '_1_2_'";
    assert.equal(await sql(open), "0");
    await glass("close");
  });

  it("does not start a release on a schema that it was not deployed with", () =>
    refused(["start", "1.2.0"], /was deployed with meal_planner at 20, and it is at 23/));

  it("dumps, then takes migrations back with the stored SQL, tracking and ledger in the same transaction", async () => {
    const said = await glass("reverse", "meal_planner", "20");
    assert.match(said, /DROP COLUMN[^]*reversed 23 [^]*reversed 22 [^]*reversed 21 /);
    assert.equal(await sql(newest), "20");
    const states = "SELECT string_agg(version || ' ' || state, ',' ORDER BY id) FROM rollback.migration";
    assert.match(await sql(states), /,20 applied,21 reversed,22 reversed,23 reversed$/);
    const chain = `SELECT bool_and(hash = rollback.event_hash(e)
      AND previous = coalesce((SELECT hash FROM rollback.event p WHERE p.id = e.id - 1), '')) FROM rollback.event e`;
    assert.equal(await sql(chain), "t");
    assert.match(
      await docker(["exec", stack.names.postgres, "ls", "/var/lib/dumps"]),
      /break-glass-meal_planner-/,
    );
  });

  it("finds nothing to do when it is repeated", async () => {
    assert.match(await glass("reverse", "meal_planner", "20"), /is at 20 already/);
  });

  it("takes nothing back when one of several cannot be", async () => {
    await refused(["reverse", "meal_planner", "18", "--no-dump"], /20 \(.*\) has no stored reversal/);
    assert.equal(await sql(newest), "20");
  });

  it("starts the previous release from its kept images, and switches to it", async () => {
    await glass("start", "1.2.0");
    assert.match(await glass("start", "1.2.0"), /runs already/);
    assert.equal((await askStack(stack, "/health")).status, 503);
    assert.match(await glass("switch", "1.2.0"), /api\/meal-plans: 200/);
    const { status, release, body } = await askStack(stack, "/health");
    assert.deepEqual([status, release], [200, "1.2.0"], body);
    await write("glass-3");
    assert.deepEqual(await written(), ["glass-1", "glass-2", "glass-3"]);
    assert.match(await glass("switch", "1.2.0"), /unchanged/);
  });

  it("restores one database of a dump beside the one that serves", async () => {
    await glass("restore", dump, "meal_planner", "meal_planner_before");
    await glass("restore", dump, "meal_planner", "meal_planner_before");
    const rows = await sql(
      "SELECT client_ref FROM food_logs WHERE client_ref LIKE 'glass-%'",
      "meal_planner_before",
    );
    assert.equal(rows, "glass-1");
    assert.deepEqual(await written(), ["glass-1", "glass-2", "glass-3"]);
  });

  it("refuses a dump of which a byte is wrong", async () => {
    const damage = `cd /var/lib/dumps && cp -r "$1" damaged && cd damaged/db-meal_planner &&
      f=$(ls -S | head -1) && printf x | dd of="$f" bs=1 seek=100 conv=notrunc status=none`;
    await docker(["exec", stack.names.postgres, "sh", "-c", damage, "sh", dump]);
    await refused(["verify", "damaged"], /FAILED[^]*damaged is not whole/);
    await refused(["restore", "damaged", "meal_planner", "never"], /is not whole/);
    assert.equal(await sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'never%'"), "0");
  });

  it("restores a whole dump into a new volume with a server of its own", async () => {
    const server = `${stack.project}-${stack.stack}-postgres-break-glass`;
    await glass("server", dump, restored);
    assert.equal(await sql(newest, "meal_planner", server), "20");
    assert.equal(await sql(newest, "mealie", server), "4");
    await refused(["server", dump, stack.volumes.data], /holds something else/);
    await docker(["rm", "-f", "-v", server]);
  });

  it("hands the stack over to a new backend with a new passphrase and new secrets", async () => {
    const secret = await newBackend();
    await stack.configure({ live: { "1.2.0": 100 } });
    const { code, said } = await run(["--yes", "hand-over"], `${secret}\n`);
    assert.equal(code, 0, said);
    await stack.up({ env });
    const { status, release, body } = await askStack(stack, "/health");
    assert.deepEqual([status, release], [200, "1.2.0"], body);
    assert.deepEqual(await written(), ["glass-1", "glass-2", "glass-3"]);
    await stack.up({ env, args: ["--expect-no-changes"] });
  });

  it("leaves a ledger that the program goes on with: the next deployment takes the schema for its own", async () => {
    await stack.configure({ live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] });
    await stack.up({ env });
    const { status, release } = await askStack(stack, "/health");
    assert.deepEqual([status, release], [200, "1.2.1"]);
    assert.equal(await sql(newest), "23");
  });

  it("tidies up what is left of it", async () => {
    await glass("tidy");
    assert.equal(await sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE '%break_glass'"), "0");
    assert.equal((await askStack(stack, "/health")).status, 200);
  });

  it("comes back on a machine that has nothing but the dumps", async () => {
    const left = async (kind: readonly string[]): Promise<string[]> => {
      const listed = await docker([...kind, "-q", "--filter", `label=rollback.stack=${stack.label}`]);
      return listed.split("\n").filter((name) => name !== "" && name !== stack.volumes.dumps);
    };
    await docker(["rm", "-f", "-v", ...(await left(["ps", "-a"]))]);
    await docker(["network", "rm", ...(await left(["network", "ls"]))]);
    await docker(["volume", "rm", ...(await left(["volume", "ls"]))]);
    await rm(path.join(stack.folder, "state"), { recursive: true });
    await rm(stack.file);

    const server = `${stack.project}-${stack.stack}-postgres-break-glass`;
    await glass("--dumps", stack.volumes.dumps, "server", dump, restored);
    const secret = await newBackend();
    const volumes = { ...stack.volumes, data: restored };
    await stack.configure({ live: { "1.2.0": 100 }, volumes });
    const { code, said } = await run(["--yes", "--server", server, "hand-over"], `${secret}\n`);
    assert.equal(code, 0, said);
    await stack.up({ env });
    const { status, release } = await askStack(stack, "/health");
    assert.deepEqual([status, release], [200, "1.2.0"]);
    assert.deepEqual(await written(), ["glass-1"]);
  });
});
