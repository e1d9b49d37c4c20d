import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { z } from "zod";
import { loginRole, operatorRole } from "../../../settings/names.ts";
import { docker } from "../../../operations/docker/run.ts";
import { processes } from "../../support/processes.ts";
import { assertServes, dumpsOf, schemaVersions } from "../../support/stack-checks.ts";
import { inspectionOf, userIdsIn } from "../../support/stack-docker.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

const mapping = z.record(z.string(), z.unknown());

/** A copy of a configuration with the value at this path replaced; the path's parents must be there. */
function withValue(config: Config, [key = "", ...rest]: readonly string[], value: unknown): Config {
  return { ...config, [key]: rest.length > 0 ? withValue(mapping.parse(config[key]), rest, value) : value };
}

describe("a stack that is up", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  const good = { live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"], safety: { bake: "0s" } } as const;

  before(async () => {
    stack = await createStack();
    await stack.configure(good);
    await stack.up();
  });
  after(() => stack.cleanup());

  describe("with a configuration that cannot be carried out", () => {
    const state = async (): Promise<unknown> => ({
      containers: (await stack.containers()).map(({ name, id, startedAt }) => [name, id, startedAt]),
      schema: await schemaVersions(stack),
      runs: await stack.query("meal_planner", "SELECT count(*)::int FROM rollback.journal"),
      dumps: (await dumpsOf(stack)).length,
    });

    /** Runs `up` with one value changed: it must say this, once, and change nothing. */
    async function refused(place: readonly string[], value: unknown, ...words: RegExp[]): Promise<void> {
      const before = await state();
      await stack.configure(good, (config) => withValue(config, place, value));
      const { output } = await stack.up({ expectFailure: true });
      for (const word of words) assert.match(output, word);
      const [, diagnostics = ""] = output.split("Diagnostics:");
      assert.equal(diagnostics.match(/refused [A-Z_]+:/g)?.length, 1, `one message:\n${output}`);
      assert.deepEqual(await state(), before);
    }
    const release = (...rest: string[]): string[] => ["rollback:releases", "1.2.0", ...rest];

    it("names key, value and what is allowed, all mistakes in one message", async () => {
      const live = { "1.2.0": 60, "1.2.7": 30 };
      await refused(["rollback:live"], live, /refused CONFIG_INVALID/, /rollback:live/, /1\.2\.7/, /90/);
      await refused(["rollback:gateway"], { hold: "soon" }, /rollback:gateway\.hold/, /soon/);
    });

    it("refuses an image that is neither here nor to be had, before anything stops", async () => {
      const before = await state();
      await stack.configure({ ...good, live: { "1.2.0": 100 } }, (config) =>
        withValue(config, release("services", "meal-planner", "image"), "meal-planner:v0.0.0-gone"),
      );
      const { output } = await stack.up({ expectFailure: true });
      assert.match(
        output,
        /refused IMAGE_GONE: .*meal-planner:v0\.0\.0-gone \(meal-planner of release 1\.2\.0\)/,
      );
      assert.match(output, /Nothing was stopped/);
      assert.deepEqual(await state(), before);
    });

    it("refuses another image under the name of a release that was deployed", () =>
      refused(
        ["rollback:releases", "1.2.1", "services", "meal-planner", "image"],
        "meal-planner:v1.2.3",
        /refused RELEASE_CHANGED/,
        /release 1\.2\.1 .*meal-planner:v1\.2\.1.*meal-planner:v1\.2\.3/s,
      ));

    it("refuses another port that somebody else listens on, before the door on the old one is taken away", async () => {
      const other = createServer();
      const port = await new Promise<number>((resolve) => {
        other.listen(0, "127.0.0.1", () => {
          const address = other.address();
          resolve(typeof address === "object" && address !== null ? address.port : 0);
        });
      });
      try {
        const place = ["rollback:services", "meal-planner", "public", "port"];
        await refused(place, port, /refused PORT_TAKEN: .*rollback:services\.meal-planner\.public\.port/);
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    });

    it("refuses a schema version that no migration has", () =>
      refused(release("schema", "meal_planner"), "99", /refused [A-Z_]+/, /99/));

    it("refuses to go behind a migration without a reversal, and names it", async () => {
      const before = await state();
      await stack.configure({ ...good, live: { "1.2.0": 100 } }, (config) =>
        withValue(
          withValue(config, release("schema", "meal_planner"), "19"),
          release("compatible", "meal_planner"),
          "19..20",
        ),
      );
      const { output } = await stack.up({ expectFailure: true });
      assert.match(output, /refused SCHEMA_NO_REVERSAL: .*20.*drop_recipes_simplified/);
      assert.deepEqual(await state(), before);
    });

    it("refuses to change a schema that was changed by hand, unless it is to be taken as it is", async () => {
      const back = { ...good, live: { "1.2.0": 100 } };
      await stack.query("meal_planner", "CREATE TABLE by_hand (id int)");
      await stack.configure(back);
      const { output } = await stack.up({ expectFailure: true });
      assert.match(output, /refused SCHEMA_DRIFT: .*left over: table public\.by_hand/s);
      assert.match(output, /onDifference: warn/);
      assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });

      const warned = { ...back, safety: { bake: "0s", onDifference: "warn" } };
      await stack.configure(warned);
      await stack.query("meal_planner", "CREATE VIEW in_the_way AS SELECT recipe_json FROM auto_meal_plans");
      const refusal = await stack.up({ expectFailure: true });
      assert.match(refusal.output, /refused SCHEMA_DEPENDENTS: .*recipe_json.*view public\.in_the_way/s);
      assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });
      await stack.query("meal_planner", "DROP VIEW in_the_way");

      const taken = await stack.up();
      assert.match(taken.output, /left over: table public\.by_hand/);
      assert.deepEqual(await schemaVersions(stack), { meal_planner: "20", mealie: "4" });

      // From here on it is part of the schema that was left.
      await stack.configure(good);
      await stack.up();
    });

    it("refuses a run that leaves steps out", async () => {
      await stack.configure({ ...good, live: { "1.2.0": 100 } });
      const { output } = await stack.up({ expectFailure: true, args: ["--target", "**::schema"] });
      assert.match(output, /refused STEP_LEFT_OUT: schema would run without/);
      assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });
    });

    it("still serves after all of these, and finds nothing to do with the right configuration", async () => {
      await stack.configure(good);
      await stack.up();
      await assertServes(stack, "1.2.1");
      const { output } = await stack.up();
      assert.doesNotMatch(output, /warning/);
    });
  });

  describe("keeps its secrets and its doors", () => {
    const passwords = (): string[] => [
      ...stack.secrets,
      stack.passwordOf(operatorRole),
      ...["meal_planner", "mealie"].flatMap((database) =>
        ["1.2.0", "1.2.1"].map((name) => stack.passwordOf(loginRole(database, name))),
      ),
    ];
    const assertNone = (text: string, where: string): void => {
      for (const [n, secret] of passwords().entries()) {
        assert.ok(!text.includes(secret), `secret ${n} is in clear in ${where}`);
      }
    };

    it("in the output of up and in the arguments of every process it starts", async () => {
      await stack.configure({ ...good, live: { "1.2.0": 100 } });
      const commands = new Set<string>();
      const watch = new AbortController();
      const watching = (async () => {
        while (!watch.signal.aborted) for (const { command } of await processes()) commands.add(command);
      })();
      const { output } = await stack.up({ preview: true });
      watch.abort();
      await watching;
      assertNone(output, "the output");
      assertNone([...commands].join("\n"), "a process's arguments");
      assert.ok([...commands].some((command) => command.startsWith("docker exec")));
    });

    it("in the state, its history and its backups", async () => {
      const folder = path.join(stack.folder, "state");
      const files = await readdir(folder, { recursive: true, withFileTypes: true });
      const texts = files.filter((file) => file.isFile());
      assert.ok(texts.length > 5);
      for (const { parentPath, name } of texts) {
        assertNone(await readFile(path.join(parentPath, name), "latin1"), name);
      }
      assertNone(await stack.exported(), "the export");
      assertNone(await readFile(stack.file, "utf8"), "the stack file");
    });

    it("in the logs of its containers, and in the names of its dumps", async () => {
      for (const { name } of await stack.containers()) {
        assertNone(await docker(["logs", name], { errorsToo: true }), `the log of ${name}`);
      }
      assertNone((await dumpsOf(stack)).map(({ name }) => name).join("\n"), "a dump's name");
      const inspection = await inspectionOf(stack.label);
      assert.ok(!inspection.includes(stack.secrets[0] ?? ""), "the secret that all passwords come from");
      assert.ok(!inspection.includes(stack.passwordOf("postgres")), "the administrator's password");
    });

    it("in the journal and the ledger", async () => {
      for (const database of ["meal_planner", "mealie"]) {
        const tables = await stack.query(
          database,
          "SELECT tablename FROM pg_tables WHERE schemaname = 'rollback' AND tablename NOT LIKE 'archive%'",
        );
        for (const { tablename } of tables) {
          const rows = await stack.query(database, `SELECT * FROM rollback.${String(tablename)}`);
          assertNone(JSON.stringify(rows), `rollback.${String(tablename)}`);
        }
      }
    });

    it("runs no container as root, none privileged", async () => {
      for (const { name } of await stack.containers()) {
        assert.ok(!(await userIdsIn(name)).includes(0), `${name} runs as root`);
      }
      assert.doesNotMatch(await inspectionOf(stack.label), /"Privileged": true/);
    });

    it("listens on loopback only", async () => {
      const listens = (await stack.containers()).flatMap((container) => container.listens);
      const { planner, mealie, postgres } = stack.ports;
      assert.deepEqual(listens.sort(), [planner, mealie, postgres].map((port) => `127.0.0.1:${port}`).sort());
    });
  });
});
