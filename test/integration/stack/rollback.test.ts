import assert from "node:assert/strict";
import { seedMealPlanner, sizeTimes } from "../../../examples/meal-planner/seed.ts";
import { withClient } from "../../../operations/database/connection.ts";
import { switchTo } from "../../support/load-report.ts";
import { assertServes, dumpsOf, schemaVersions } from "../../support/stack-checks.ts";
import { changedResources, stepOf } from "../../support/stack-events.ts";
import { assertUnharmed, heldFor, underLoad } from "../../support/stack-load.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("a release with migrations, deployed and taken back under load", function () {
  this.timeout(180_000);
  const quick = { safety: { bake: "1s" }, redis: true } as const;
  let stack: ScratchStack;

  before(async () => {
    stack = await createStack();
    await stack.configure({ ...quick, live: { "1.2.0": 100 } });
    const { events } = await stack.up();
    assert.deepEqual(Object.keys(changedResources(events)), ["create"]);
    await withClient(stack.server, "meal_planner", (client) => seedMealPlanner(client, sizeTimes(0.1)));
  });
  after(() => stack.cleanup());

  it("serves the first release on its schema", () => assertServes(stack, "1.2.0"));

  it("finds nothing to do in a second up: no change, no effect", async () => {
    const { events } = await stack.up({ args: ["--expect-no-changes"] });
    assert.deepEqual(changedResources(events), {});
    assert.deepEqual(
      events.filter(stepOf("preflight", "done")).map((event) => event.kind === "step" && event.op),
      ["same"],
    );
  });

  it("finds nothing to do after a refresh either", async () => {
    const refreshed = await stack.refresh({ args: ["--expect-no-changes"] });
    assert.doesNotMatch(refreshed.output, /\d+ (updated|deleted)/);
    const { events } = await stack.up({ args: ["--expect-no-changes"] });
    assert.deepEqual(changedResources(events), {});
  });

  it("deploys the next release with its migrations: no request fails, no row is lost", async () => {
    await stack.configure({ ...quick, live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] });
    const seen = await underLoad(stack);
    await assertUnharmed(stack, seen);
    await assertServes(stack, "1.2.1");
    assert.equal(switchTo(seen.load.records, "1.2.1", seen.since).strays, 0);
  });

  it("says in a preview of the way back what would be reversed, lost and held, and changes nothing", async () => {
    await stack.configure({ ...quick, live: { "1.2.0": 100 } });
    const { output } = await stack.preview({ args: ["--diff"] });
    assert.match(output, /schema of meal_planner: 23 → 20 \(taken back\)/);
    for (const name of ["add_recipe_json", "rename_source_type", "drop_recipe_sources_audit"]) {
      assert.match(output, new RegExp(`reverse.*${name}`));
    }
    assert.match(output, /column auto_meal_plans\.recipe_json/);
    assert.match(output, /holds requests for at most 30 s/);
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });
  });

  it("takes it back with the previous file: none failed, none lost, nothing from the release that left", async () => {
    await stack.configure({ ...quick, live: { "1.2.0": 100 } });
    const seen = await underLoad(stack);
    await assertUnharmed(stack, seen);
    await assertServes(stack, "1.2.0");
    assert.equal(switchTo(seen.load.records, "1.2.0", seen.since).strays, 0);
    const held = heldFor(seen.ended);
    assert.ok(held !== undefined, "requests were held");
  });

  it("keeps what the reversal dropped, and a dump of the moment before", async () => {
    const [archive] = await stack.query(
      "meal_planner",
      `SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'rollback' AND tablename LIKE 'archive\\_%'`,
    );
    assert.ok(Number(archive?.["tables"]) > 0);
    const dumps = await dumpsOf(stack);
    assert.deepEqual(
      dumps.map(({ whole }) => whole),
      [true, true],
      "one dump of each change",
    );
  });

  it("has come full circle: the next up finds nothing to do", async () => {
    const { events } = await stack.up({ args: ["--expect-no-changes"] });
    assert.deepEqual(changedResources(events), {});
  });
});
