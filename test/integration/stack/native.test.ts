import assert from "node:assert/strict";
import { HostFailure, runScript } from "../../../operations/native/host.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { askStack, schemaVersions } from "../../support/stack-checks.ts";
import { killedAt } from "../../support/kill-trials.ts";
import { startNativeStack, type NativeStack } from "../../support/native-stack.ts";
import { changedResources } from "../../support/stack-events.ts";
import { assertUnharmed, underLoad } from "../../support/stack-load.ts";
import type { ScratchStack } from "../../support/stack.ts";
import type { SystemdMachine } from "../../support/systemd.ts";

describe("a service that is a systemd unit on another host", function () {
  this.timeout(300_000);
  let native: NativeStack | undefined;
  let stack: ScratchStack;
  let machine: SystemdMachine;
  let show: NativeStack["show"];
  let current: NativeStack["current"];
  let configure: NativeStack["configure"];

  before(async function () {
    const started = await startNativeStack();
    if (typeof started === "string") {
      console.log(`    ${started}`);
      return this.skip();
    }
    native = started;
    ({ stack, machine, show, current, configure } = started);
  });
  after(() => native?.remove());

  it("is started from its folder, with its environment, and gets the traffic", async () => {
    await configure("1.2.0", ["1.2.0"]);
    await stack.up();
    assert.equal((await askStack(stack, "/api/logs")).release, "1.2.0");
    assert.deepEqual(
      [await show("1.2.0", "ActiveState"), await show("1.2.0", "UnitFileState")],
      ["active", "enabled"],
    );
    assert.equal(await current(), "1.2.0");
    assert.equal(await machine.run("stat", "-c", "%a %U", "/opt/meal-planner/env/1.2.0.env"), "600 root");
    const services = (await stack.containers()).filter(({ labels }) => labels["rollback.part"] === "service");
    assert.deepEqual(
      services.map(({ labels }) => labels["rollback.service"]),
      ["mealie"],
    );
    assert.deepEqual(changedResources((await stack.up({ args: ["--expect-no-changes"] })).events), {});
  });

  it("gives way to the next release side by side, and nobody who asks meanwhile fails", async () => {
    await configure("1.2.1", ["1.2.0", "1.2.1"]);
    await assertUnharmed(stack, await underLoad(stack));
    assert.equal((await askStack(stack, "/api/logs")).release, "1.2.1");
    assert.deepEqual(
      [await show("1.2.0", "ActiveState"), await show("1.2.0", "UnitFileState")],
      ["inactive", "disabled"],
    );
    assert.equal(await current(), "1.2.1");
  });

  it("shares the requests with a canary, which is a second unit of the template", async () => {
    const pid = await show("1.2.1", "MainPID");
    await configure({ "1.2.1": 80, "1.2.3": 20 }, ["1.2.1", "1.2.3"]);
    await assertUnharmed(stack, await underLoad(stack));
    const counts: Record<string, number> = {};
    for (let n = 0; n < 100; n += 1) {
      const { release } = await askStack(stack, "/api/logs");
      counts[release ?? "none"] = (counts[release ?? "none"] ?? 0) + 1;
    }
    const { "1.2.1": most = 0, "1.2.3": few = 0 } = counts;
    assert.ok(most + few === 100 && few >= 10 && few <= 30, JSON.stringify(counts));
    assert.equal(await show("1.2.1", "MainPID"), pid);
    assert.equal(await current(), "1.2.1");
  });

  it("comes back with its schema, also when the engine dies while it is being started", async () => {
    await configure("1.2.0", ["1.2.0"]);
    await killedAt(stack, async () => {
      const until = Date.now() + 60_000;
      while ((await show("1.2.0", "ActiveState")) !== "active") assert.ok(Date.now() < until);
    });
    const { output } = await stack.up();
    assert.match(output, /stopped meal-planner-api@1\.2\.1\.service, meal-planner-api@1\.2\.3\.service/);
    assert.equal((await askStack(stack, "/api/logs")).release, "1.2.0");
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "20", mealie: "4" });
    for (const gone of ["1.2.1", "1.2.3"])
      assert.deepEqual(
        [await show(gone, "ActiveState"), await show(gone, "UnitFileState")],
        ["inactive", "disabled"],
      );
    assert.deepEqual(changedResources((await stack.up({ args: ["--expect-no-changes"] })).events), {});
  });

  it("reads changed flags without a restart", async () => {
    const pid = await show("1.2.0", "MainPID");
    await configure("1.2.0", ["1.2.0"], "true");
    const { output } = await stack.up();
    assert.match(output, /meal-planner-api@1\.2\.0\.service has read its flags again/);
    assert.equal(await show("1.2.0", "MainPID"), pid);
  });

  it("is started again by the next up after it was stopped by hand", async () => {
    await machine.run("systemctl", "stop", "meal-planner-api@1.2.0.service");
    const { output } = await stack.up();
    assert.match(output, /healthy: 1\.2\.0/);
    assert.equal((await askStack(stack, "/api/logs")).release, "1.2.0");
  });

  it("is not touched for a release that is not there", async () => {
    await configure("1.2.2", ["1.2.0", "1.2.2"]);
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused NATIVE_RELEASE_GONE: there is no \/opt\/meal-planner\/releases\/1\.2\.2/);
    assert.equal((await askStack(stack, "/api/logs")).release, "1.2.0");
  });

  it("has its secrets on its host, and the engine has none of them in its state", async () => {
    const state = await stack.exported();
    const environment = await machine.run("cat", "/opt/meal-planner/env/1.2.0.env");
    const [secret = ""] = stack.secrets.filter((each) => environment.includes(each));
    assert.notEqual(secret, "");
    assert.ok(!state.includes(secret));
  });

  it("keeps running after a destroy, as the stack's outputs say, with what stops it", async () => {
    const { units } = await stack.outputs();
    assert.match(
      String(units),
      /ssh -p \d+ root@\S+ systemctl disable --now meal-planner-api@1\.2\.0\.service$/,
    );
    await stack.destroy();
    assert.equal(await show("1.2.0", "ActiveState"), "active");
  });

  it("is not spoken to by an unknown host key, and a failing script says why", async () => {
    const unknown = { ...machine.host, knownHosts: "/dev/null", port: machine.host.port, user: "nobody" };
    await assert.rejects(runScript(unknown, "true", []), (error) => isRefusal(error, "NATIVE_UNREACHABLE"));
    await assert.rejects(
      runScript(machine.host, 'echo "no $1" >&2; exit 3', ["it's $(bad)"]),
      (error) => error instanceof HostFailure && error.exitCode === 3 && error.stderr === "no it's $(bad)",
    );
  });
});
