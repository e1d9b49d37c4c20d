import assert from "node:assert/strict";
import { docker } from "../../../operations/docker/run.ts";
import { askStack, assertServes } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("pulumi destroy", function () {
  this.timeout(180_000);
  let stack: ScratchStack;

  before(async () => {
    stack = await createStack();
    await stack.configure({ live: { "1.2.0": 100 } });
    await stack.up();
    const body = JSON.stringify({ clientId: "kept", slot: "lunch", food: "Soup", calories: 300 });
    assert.equal((await askStack(stack, "/api/logs", { method: "POST", body })).status, 201);
  });
  after(() => stack.cleanup());

  it("removes containers and network, and keeps what holds data", async () => {
    await stack.destroy();
    const ours = ["--filter", `label=rollback.stack=${stack.label}`];
    assert.deepEqual(await stack.containers(), []);
    assert.equal(await docker(["network", "ls", "-q", ...ours]), "");
    const volumes = await docker(["volume", "ls", "-q", ...ours]);
    assert.deepEqual(volumes.split("\n").sort(), Object.values(stack.volumes).sort());
  });

  it("is followed by an up that finds the data again, also behind a server's container that a kill left half made", async () => {
    const labels = ["--label", `rollback.stack=${stack.label}`, "--label", "rollback.part=postgres"];
    await docker([
      ...["create", "--name", stack.names.postgres, "--network", "none", ...labels],
      ...["-v", `${stack.volumes.data}:/var/lib/postgresql/data`, "rollback-postgres:17.1"],
    ]);
    const { output } = await stack.up();
    assert.doesNotMatch(output, /did not come up/);
    await assertServes(stack, "1.2.0");
    const rows = await stack.query("meal_planner", "SELECT 1 FROM food_logs WHERE client_ref = 'kept'");
    assert.equal(rows.length, 1);
  });
});
