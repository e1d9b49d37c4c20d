import assert from "node:assert/strict";
import { at, killedAt, killTrials, onceMade, type Instant } from "../../support/kill-trials.ts";
import { assertServes, askStack } from "../../support/stack-checks.ts";
import { changedResources, lineOf, stepOf } from "../../support/stack-events.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

/** From the first step of a run to its last; the lines tell that an effect is in the middle of its work. */
const instants: readonly (readonly [string, Instant])[] = [
  ["the preflight", at(stepOf("preflight"))],
  ["the backup", at(lineOf("backup", /./))],
  ["the creation of a service's container", onceMade(/-meal-planner-1\.2/)],
  ["the flags", at(stepOf("flags"))],
  ["the server's readiness check", at(stepOf("ready"))],
  ["the fence, when requests are held", at(lineOf("fence", /requests are held/))],
  ["the fence, when roles are closed", at(lineOf("fence", /closed in the database/))],
  ["the schema, in its transaction", at(lineOf("schema", /\(2 of 3\)/))],
  ["the schema, when it is over", at(stepOf("schema", "done"))],
  ["the caches", at(stepOf("caches"))],
  ["the creation of a release's role", at(stepOf(/^meal_planner_1_2_\d$/))],
  ["the wait for healthy containers", at(stepOf("containers"))],
  ["the switch of the traffic", at(stepOf("traffic"))],
  ["the verification", at(stepOf("verification"))],
  ["the removal of what leaves", at((event) => event.kind === "step" && event.op === "delete")],
];

describe("an engine that is killed", function () {
  this.timeout(180_000);

  describe("while it rolls a release out or back", () => killTrials(instants));

  describe("while it makes a stack for the first time", () => {
    let stack: ScratchStack;
    before(async () => {
      stack = await createStack();
      await stack.configure({ live: { "1.2.0": 100 }, safety: { bake: "0s" } });
    });
    after(() => stack.cleanup());

    const firstInstants: readonly (readonly [string, Instant])[] = [
      ["the network", onceMade(/$/)],
      ["the door", onceMade(/-door$/)],
      ["the router", onceMade(/-router$/)],
      ["the cache", onceMade(/-redis$/)],
      ["the database server", onceMade(/-postgres$/)],
      ["an owner's role", at(stepOf("meal_planner_owner"))],
      ["a database", at(stepOf("meal_planner"))],
      ["the schema", at(lineOf("schema", /\(5 of 20\)/))],
    ];
    for (const [where, instant] of firstInstants) {
      it(`in the creation of ${where}: cancel and up go on`, async () => {
        await killedAt(stack, instant);
      });
    }

    it("ends in one consistent release", async () => {
      await stack.up();
      await assertServes(stack, "1.2.0");
      assert.equal((await askStack(stack, "/health")).status, 200);
      assert.deepEqual(changedResources((await stack.up()).events), {});
    });
  });
});
