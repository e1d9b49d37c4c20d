import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import type { ReleaseName } from "../../../examples/meal-planner/catalogue.ts";
import type { StackOptions } from "../../../examples/meal-planner/stack.ts";
import { docker } from "../../../operations/docker/run.ts";
import { ownSite, startNginx, type ExistingNginx } from "../../support/existing-nginx.ts";
import { freePorts } from "../../support/free-ports.ts";
import { switchTo } from "../../support/load-report.ts";
import { askStack, assertServes } from "../../support/stack-checks.ts";
import { changedResources, stepOf } from "../../support/stack-events.ts";
import { assertUnharmed, underLoad } from "../../support/stack-load.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

const newFolder = (): Promise<string> => mkdtemp(path.join(tmpdir(), "rollback-nginx-"));
const newName = (): string => `rbt-edge-${randomBytes(3).toString("hex")}`;

function onPort(config: Config, port: number): Config {
  const services = z.record(z.string(), z.looseObject({})).parse(config["rollback:services"]);
  const planner = { ...services["meal-planner"], public: { port } };
  return { ...config, "rollback:services": { ...services, "meal-planner": planner } };
}

function withVolume(config: Config, volume: string): Config {
  const services = z.record(z.string(), z.looseObject({})).parse(config["rollback:services"]);
  const planner = { ...services["meal-planner"], volumes: { "/var/media": volume } };
  return { ...config, "rollback:services": { ...services, "meal-planner": planner } };
}

async function publishedBy(stack: ScratchStack): Promise<string> {
  return docker(["port", stack.names.door]);
}

describe("an nginx of the user's on this machine", function () {
  this.timeout(180_000);
  let nginx: ExistingNginx;
  let stack: ScratchStack;
  let file: string;
  const configure = (
    live: ReleaseName,
    { port = stack.ports.planner, reload = nginx.reload }: { port?: number; reload?: readonly string[] } = {},
  ): Promise<void> =>
    stack.configure({ ...common, live: { [live]: 100 }, releases: ["1.2.0", "1.2.1"] }, (config) =>
      onPort({ ...config, "rollback:gateway": existing(reload) }, port),
    );
  const common: Pick<StackOptions, "safety"> = { safety: { bake: "1s" } };
  const existing = (reload: readonly string[]) => ({
    drain: "5s",
    existing: { folder: nginx.folder, reload, test: [...nginx.reload.slice(0, -2), "-t"] },
  });

  before(async () => {
    stack = await createStack();
    nginx = await startNginx(await newFolder(), newName());
    file = `rollback-${stack.project}-${stack.stack}.conf`;
    await configure("1.2.0");
    await stack.up();
  });
  after(async () => {
    await stack.cleanup();
    await nginx.remove();
  });

  it("has the public listener, by one file beside its own; the door publishes nothing", async () => {
    await assertServes(stack, "1.2.0");
    assert.equal(await publishedBy(stack), "");
    const files = await nginx.files();
    assert.deepEqual(Object.keys(files).sort(), ["own-site.conf", file].sort());
    assert.equal(files["own-site.conf"], ownSite);
  });

  it("leaves nothing to do for a second up", async () => {
    const { events } = await stack.up({ args: ["--expect-no-changes"] });
    assert.deepEqual(changedResources(events), {});
  });

  it("sees a release with migrations come and go under load without a reload: no request fails, no row is lost", async () => {
    const workers = await nginx.workers();
    for (const release of ["1.2.1", "1.2.0"] as const) {
      await configure(release);
      const seen = await underLoad(stack);
      await assertUnharmed(stack, seen);
      await assertServes(stack, release);
      assert.equal(switchTo(seen.load.records, release, seen.since).strays, 0);
    }
    assert.deepEqual(await nginx.workers(), workers);
  });

  it("that ignores its reload is noticed: its folder is as it was, and requests are served as before", async () => {
    const before = await nginx.files();
    const [port = 0] = await freePorts(1);
    await configure("1.2.0", { port, reload: ["true"] });
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused FRONT_NOT_RELOADED: .*does not answer by the new configuration/);
    assert.deepEqual(await nginx.files(), before);
    await assertServes(stack, "1.2.0");
  });

  it("that refuses its configuration is told before anything stops, in its own words, and the file is taken back", async () => {
    const before = await nginx.files();
    const [port = 0] = await freePorts(1);
    const bad = path.join(nginx.folder, "bad.conf");
    await writeFile(bad, "nonsense on;\n");
    await configure("1.2.0", { port });
    const { output } = await stack.up({ expectFailure: true });
    assert.match(
      output,
      /refused FRONT_REFUSED: .*also without the stack's file: .*unknown directive "nonsense"/,
    );
    await rm(bad);
    assert.deepEqual(await nginx.files(), before);
    await assertServes(stack, "1.2.0");
  });

  it("gets a changed port with one reload, the door left as it is", async () => {
    const door = await docker(["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", stack.names.door]);
    const [port = 0] = await freePorts(1);
    await configure("1.2.0", { port });
    await stack.up();
    assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200);
    await assert.rejects(fetch(`${stack.url}/health`), "the former port is closed");
    assert.equal(await docker(["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", stack.names.door]), door);
    await configure("1.2.0");
    await stack.up();
    await assertServes(stack, "1.2.0");
  });

  it("that is killed during a switch makes the up fail and say so; once it runs, the next up finds it done", async () => {
    await configure("1.2.1");
    const running = await stack.startUp();
    await running.waitFor(stepOf("schema", "done"));
    await nginx.kill();
    const { exitCode, output } = await running.ended;
    assert.notEqual(exitCode, 0);
    assert.match(output, /refused FRONT_UNREACHABLE: [^]*Behind it the traffic has been switched: 1\.2\.1/);
    const again = await stack.up({ expectFailure: true });
    assert.match(again.output, /refused FRONT_UNREACHABLE: [^]*Nothing was changed/);
    await nginx.start();
    await stack.up();
    await assertServes(stack, "1.2.1");
  });

  it("whose file was removed by hand gets it back", async () => {
    await rm(path.join(nginx.folder, file));
    const { output } = await stack.up();
    assert.match(output, /rollback-\S+\.conf is missing or differs/);
    assert.ok(file in (await nginx.files()));
  });

  it("is left again: its file goes, and the door has the public listener", async () => {
    await stack.configure({ ...common, live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] });
    await stack.up();
    assert.deepEqual(Object.keys(await nginx.files()), ["own-site.conf"]);
    assert.match(await publishedBy(stack), new RegExp(`127\\.0\\.0\\.1:${stack.ports.planner}`));
    await assertServes(stack, "1.2.1");
  });
});

describe("an nginx of the user's in a container", function () {
  this.timeout(180_000);
  const name = newName();
  let nginx: ExistingNginx;
  let stack: ScratchStack;
  const configure = (live: ReleaseName, standby: ReleaseName, network = name): Promise<void> =>
    stack.configure({ live: { [live]: 100 }, standby: [standby], safety: { bake: "1s" } }, (config) => ({
      ...withVolume(config, `${stack.project}-media`),
      "rollback:gateway": {
        existing: { folder: nginx.folder, reload: nginx.reload, container: { name, network } },
      },
    }));

  before(async () => {
    stack = await createStack();
    await docker(["network", "create", name]);
    nginx = await startNginx(await newFolder(), name, { network: name, publish: stack.ports.planner });
    await configure("1.2.1", "1.2.3");
    await stack.up();
  });
  after(async () => {
    await stack.cleanup();
    await nginx.remove();
    await docker(["network", "rm", name]);
    await docker(["volume", "rm", "--force", `${stack.project}-media`]);
  });

  it("finds the door by name on a network of its own", async () => {
    const { status, release } = await askStack(stack, "/health");
    assert.deepEqual([status, release], [200, "1.2.1"]);
  });

  it("sees a switch of code under load: no request fails, none strays", async () => {
    const workers = await nginx.workers();
    await configure("1.2.3", "1.2.1");
    const seen = await underLoad(stack);
    await assertUnharmed(stack, seen);
    assert.equal(switchTo(seen.load.records, "1.2.3", seen.since).strays, 0);
    assert.deepEqual(await nginx.workers(), workers);
  });

  it("shares the service's volume among its releases", async () => {
    const planners = (await stack.containers()).filter((each) => each.name.includes("meal-planner-1"));
    for (const { name: container } of planners) {
      const mounts = await docker(["inspect", "-f", "{{json .Mounts}}", container]);
      assert.match(mounts, new RegExp(`"Name":"${stack.project}-media"[^}]*"Destination":"/var/media"`));
    }
    assert.equal(planners.length, 2);
  });

  it("is refused with another network than it is on, before anything stops", async () => {
    await configure("1.2.3", "1.2.1", "rbt-no-such-network");
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused FRONT_CONTAINER: .* is not on the network rbt-no-such-network, but on/);
    assert.equal((await askStack(stack, "/health")).release, "1.2.3");
  });
});
