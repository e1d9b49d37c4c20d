import assert from "node:assert/strict";
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { docker } from "../../../operations/docker/run.ts";
import { liveIn } from "../../../operations/stack-file/live.ts";
import type { StackOptions } from "../../../examples/meal-planner/stack.ts";
import { switchTo } from "../../support/load-report.ts";
import { askStack, assertServes, dumpsOf, runningReleases } from "../../support/stack-checks.ts";
import { changedResources, linesOf } from "../../support/stack-events.ts";
import { assertUnharmed, heldFor, underLoad } from "../../support/stack-load.ts";
import { withHealthDeadline, withoutReload, withSmokeScript } from "../../support/stack-changes.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

/** Resources of the engine that stand for something in Docker; effects and roles are not among them. */
function containersIn(names: readonly string[] | undefined): string[] {
  return (names ?? []).filter((name) => /-(1\.\d|postgres|door|router)|^(postgres|door|router)$/.test(name));
}

/** The planner's port in its own containers, and a loop that asks it of the router. */
const plannerPort = 8080;
const asking = `for n in $(seq "$2"); do
  curl -s -o /dev/null -w '%{http_code}\\n' -H 'Host: meal-planner' "http://127.0.0.1:$1/health"; sleep 0.1
done`;

function withReplicas(config: Config, replicas: number): Config {
  const { "meal-planner": planner, ...others } = z
    .record(z.string(), z.looseObject({}))
    .parse(config["rollback:services"]);
  return { ...config, "rollback:services": { ...others, "meal-planner": { ...planner, replicas } } };
}

/** What is left of other code at browsers and in a volume. */
function withStaleThings(config: Config, volume: string): Config {
  return {
    ...config,
    "rollback:caches": {
      ...z.record(z.string(), z.unknown()).parse(config["rollback:caches"]),
      pages: { volume, files: "*.html" },
    },
    "rollback:gateway": { browsers: { clear: ["cache"], cacheControl: "no-cache" } },
  };
}

/** Id and start of every container of the stack, by name: what shows that none was made anew or restarted. */
async function identities(stack: ScratchStack): Promise<Record<string, string>> {
  const containers = await stack.containers();
  return Object.fromEntries(containers.map(({ name, id, startedAt }) => [name, `${id} ${startedAt}`]));
}

/** How many of `count` answers came from each release. */
async function shares(stack: ScratchStack, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let n = 0; n < count; n += 1) {
    const { release } = await askStack(stack, "/api/logs");
    seen[release ?? "none"] = (seen[release ?? "none"] ?? 0) + 1;
  }
  return seen;
}

describe("changes that leave the schema as it is", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  const configure = (options: StackOptions): Promise<void> =>
    stack.configure({ safety: { bake: "1s" }, ...options }, (config) => withHealthDeadline(config, "8s"));

  before(async () => {
    stack = await createStack();
    await configure({ live: { "1.2.1": 100 } });
    await stack.up();
  });
  after(() => stack.cleanup());

  describe("a release whose health check fails", () => {
    let before: Record<string, string>;

    it("fails the up, names container and reason, and leaves the serving release as it was", async () => {
      before = await identities(stack);
      await configure({ live: { "1.2.2": 100 }, releases: ["1.2.1", "1.2.2"] });
      const { output } = await stack.up({ expectFailure: true });
      assert.match(output, /refused TARGET_UNHEALTHY: \S+-meal-planner-1\.2\.2-\S+ .*status 503 on \/health/);
      const { status, release } = await askStack(stack, "/health");
      assert.deepEqual([status, release], [200, "1.2.1"]);
    });

    it("is taken out by the previous configuration, and the next up finds nothing", async () => {
      await configure({ live: { "1.2.1": 100 } });
      await stack.up();
      await assertServes(stack, "1.2.1");
      const now = await identities(stack);
      const same = Object.keys(before).filter((name) => now[name] === before[name]);
      assert.deepEqual(same, Object.keys(before), "what was serving was neither replaced nor restarted");
      assert.deepEqual(changedResources((await stack.up()).events), {});
    });
  });

  describe("a release that its smoke script refuses", () => {
    const file = (): string => path.join(stack.folder, "project", `Pulumi.${stack.stack}.yaml`);

    it("loses the traffic again at once, and the stack file names what serves", async () => {
      const script = path.join(stack.folder, "smoke.sh");
      await writeFile(
        script,
        `#!/bin/sh\necho "$ROLLBACK_RELEASE tried"\ntest "$ROLLBACK_RELEASE" != 1.2.3\n`,
      );
      await chmod(script, 0o755);
      await stack.configure(
        { live: { "1.2.3": 100 }, standby: ["1.2.1"], safety: { bake: "1s" } },
        (config) => withSmokeScript(config, script),
      );
      const { output } = await stack.up({ expectFailure: true });
      assert.match(output, /smoke script.*1\.2\.3 tried.*WRONG: exit code 1/);
      assert.match(
        output,
        /refused VERIFICATION_FAILED[^]*Traffic went back to 1\.2\.1[^]*names it as live again/,
      );
      assert.deepEqual(await shares(stack, 10), { "1.2.1": 10 });
      assert.deepEqual(liveIn(await readFile(file(), "utf8")), new Map([["1.2.1", 100]]));
    });

    it("is on record with every check", async () => {
      const [row] = await stack.query(
        "meal_planner",
        "select proven, checks::text as checks from rollback.verification order by id desc limit 1",
      );
      assert.equal(row?.["proven"], false);
      for (const what of [
        "migration history meal_planner",
        "catalogue meal_planner",
        "log meal-planner 1.2.3",
      ])
        assert.ok(String(row["checks"]).includes(`"${what}"`), what);
    });

    it("loses it also when another stack file was named, which is the one that is changed", async () => {
      const former = await readFile(file(), "utf8");
      await stack.configure(
        { live: { "1.2.3": 100 }, standby: ["1.2.1"], safety: { bake: "1s" } },
        (config) => withSmokeScript(config, path.join(stack.folder, "smoke.sh")),
      );
      const other = path.join(stack.folder, "project", "night.yaml");
      await rename(file(), other);
      await writeFile(file(), former);
      const { output } = await stack.up({ args: ["--config-file", other], expectFailure: true });
      assert.match(output, /refused VERIFICATION_FAILED[^]*night\.yaml names it as live again/);
      assert.deepEqual(liveIn(await readFile(other, "utf8")), new Map([["1.2.1", 100]]));
      assert.equal(await readFile(file(), "utf8"), former);
    });

    it("is removed by the next up, with the file as it was left", async () => {
      await stack.up();
      await assertServes(stack, "1.2.1");
      assert.deepEqual(await runningReleases(stack), ["1.2.1"]);
    });
  });

  describe("a release without migrations, with the former one standing by", () => {
    it("is deployed without a dump, with requests held for the switch alone", async () => {
      await configure({ live: { "1.2.3": 100 }, standby: ["1.2.1"] });
      const seen = await underLoad(stack);
      await assertUnharmed(stack, seen);
      assert.deepEqual(await dumpsOf(stack), []);
      assert.deepEqual(await runningReleases(stack), ["1.2.1", "1.2.3"]);
      assert.deepEqual(await shares(stack, 20), { "1.2.3": 20 });
    });

    it("goes back to the one standing by: nothing is started, none failed, none lost", async () => {
      const volume = `${stack.project}-pages`;
      await docker([
        "run",
        "--rm",
        "-v",
        `${volume}:/v`,
        "debian:trixie-slim",
        "touch",
        "/v/a.html",
        "/v/a.txt",
      ]);
      await stack.configure(
        { live: { "1.2.1": 100 }, standby: ["1.2.3"], safety: { bake: "1s" } },
        (config) => withStaleThings(config, volume),
      );
      const seen = await underLoad(stack).finally(() => docker(["volume", "rm", volume]));
      await assertUnharmed(stack, seen);
      assert.match(linesOf(seen.ended.events, "caches").join("\n"), /pages: 1 files \(0\.0 MB\) removed/);
      const { headers } = await fetch(`${stack.url}/health`);
      assert.deepEqual(
        [headers.get("clear-site-data"), headers.get("cache-control")],
        ['"cache"', "no-cache"],
      );
      const { strays } = switchTo(seen.load.records, "1.2.1", seen.since);
      assert.equal(strays, 0, "answers of the release that left to requests sent after the switch");
      const { create, delete: deleted, replace } = changedResources(seen.ended.events);
      assert.deepEqual([containersIn(create), containersIn(deleted), containersIn(replace)], [[], [], []]);
      assert.deepEqual(await shares(stack, 20), { "1.2.1": 20 });
    });
  });

  describe("a canary", () => {
    it("gets its share of the requests, and no container is touched", async () => {
      const before = await identities(stack);
      await configure({ live: { "1.2.1": 80, "1.2.3": 20 } });
      const seen = await underLoad(stack);
      await assertUnharmed(stack, seen);
      assert.deepEqual(await identities(stack), before);
      const { "1.2.1": most = 0, "1.2.3": few = 0 } = await shares(stack, 100);
      assert.ok(most + few === 100 && few >= 10 && few <= 30, `1.2.1: ${most}, 1.2.3: ${few}`);
    });

    it("is taken back: its containers leave after the traffic did", async () => {
      await configure({ live: { "1.2.1": 100 } });
      const seen = await underLoad(stack);
      await assertUnharmed(stack, seen);
      await assertServes(stack, "1.2.1");
    });
  });

  describe("a flag", () => {
    it("changes in the running containers, which are told and keep running", async () => {
      const before = await identities(stack);
      await configure({ live: { "1.2.1": 100 }, mealieFlag: { "1.2.1": false } });
      const { events } = await stack.up();
      assert.match(
        linesOf(events, "containers").join("\n"),
        /meal-planner-1\.2\.1-\S+ has read its flags again/,
      );
      assert.deepEqual(await identities(stack), before);
      assert.equal(await mealsFrom(stack), "legacy");
    });

    it("goes back the same way", async () => {
      const before = await identities(stack);
      await configure({ live: { "1.2.1": 100 } });
      await stack.up();
      assert.deepEqual(await identities(stack), before);
      assert.equal(await mealsFrom(stack), "mealie");
    });
  });

  describe("a flag of a service without a reload endpoint", () => {
    const ids = async () => (await stack.containers()).map(({ name, id }) => `${name} ${id}`).sort();

    it("reaches it by a restart, there and back, with no request failed and no container made anew", async () => {
      const before = await ids();
      for (const [flag, source] of [
        [false, "legacy"],
        [true, "mealie"],
      ] as const) {
        await stack.configure(
          { live: { "1.2.1": 100 }, safety: { bake: "1s" }, mealieFlag: { "1.2.1": flag } },
          withoutReload,
        );
        const seen = await underLoad(stack);
        const said = linesOf(seen.ended.events, "containers").join("\n");
        assert.match(said, /requests are held while containers restart/);
        assert.match(said, /meal-planner-1\.2\.1-\S+ was restarted to read its flags/);
        await assertUnharmed(stack, seen);
        assert.equal(await mealsFrom(stack), source);
      }
      assert.deepEqual(await ids(), before);
    });
  });

  describe("a flag of a service that has several containers and no reload endpoint", () => {
    const pooled = (flag: boolean): Promise<void> =>
      stack.configure(
        { live: { "1.2.1": 100 }, safety: { bake: "1s" }, mealieFlag: { "1.2.1": flag } },
        (config) => withReplicas(withoutReload(config), 2),
      );

    it("reaches one after the other, taken out of the routes: nobody is held, neither clients nor services fail", async () => {
      await pooled(true);
      await stack.up();
      await pooled(false);
      // What another service of the stack would ask, at the listener that is never held.
      const asked = docker(
        ["exec", stack.names.router, "sh", "-c", asking, "sh", String(plannerPort), "200"],
        { timeoutMs: 120_000 },
      );
      const seen = await underLoad(stack);
      assert.deepEqual([...new Set((await asked).split("\n"))], ["200"]);
      const said = linesOf(seen.ended.events, "containers").join("\n");
      assert.equal(said.match(/was restarted to read its flags, its requests going to others/g)?.length, 2);
      assert.equal(heldFor(seen.ended), undefined);
      await assertUnharmed(stack, seen);
      assert.equal(await mealsFrom(stack), "legacy");
      await configure({ live: { "1.2.1": 100 } });
      await stack.up();
    });
  });

  describe("a server setting", () => {
    const show = async (name: string): Promise<string> => {
      const [row] = await stack.query("postgres", `SELECT current_setting($1) AS value`, [name]);
      return String(row?.["value"]);
    };

    for (const { kind, name, value } of [
      { kind: "a reload", name: "work_mem", value: "9MB" },
      { kind: "a restart", name: "max_connections", value: "123" },
    ]) {
      it(`that takes ${kind} is changed and taken back, without a request lost`, async () => {
        const original = await show(name);
        const containers = Object.keys(await identities(stack));
        await configure({ live: { "1.2.1": 100 }, settings: { [name]: value } });
        const there = await underLoad(stack);
        assert.equal(await show(name), value);
        await assertUnharmed(stack, there);

        await configure({ live: { "1.2.1": 100 } });
        const back = await underLoad(stack);
        assert.equal(await show(name), original);
        await assertUnharmed(stack, back);
        for (const { ended } of [there, back]) {
          assert.equal(heldFor(ended) !== undefined, kind === "a restart", ended.output);
        }
        assert.deepEqual(Object.keys(await identities(stack)), containers);
        assert.deepEqual(changedResources((await stack.up()).events), {});
      });
    }
  });
});

/** Where meals come from, which is what the Mealie flag decides. */
async function mealsFrom(stack: ScratchStack): Promise<string | undefined> {
  const { body } = await askStack(stack, "/api/meals");
  return /"source":\s*"(\w+)"/.exec(body)?.[1];
}
