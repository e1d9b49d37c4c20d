import assert from "node:assert/strict";
import { z } from "zod";
import { docker } from "../../../operations/docker/run.ts";
import { gateStatus } from "../../../operations/traffic/gate.ts";
import { assertServes, dumpsOf, schemaVersions } from "../../support/stack-checks.ts";
import { assertUnharmed, heldFor, underLoad } from "../../support/stack-load.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

/** A release that brings 005 of mealie and does not need it: mealie v1.0.3 runs on 4 and 5. */
const withRating = {
  services: {
    "meal-planner": { image: "meal-planner:v1.2.1", flags: { FEATURE_MEALIE_ENABLED: "true" } },
    mealie: { image: "mealie:v1.0.3" },
  },
  schema: { meal_planner: "23", mealie: "5" },
  compatible: { mealie: "4..5" },
};

function live124(config: Config): Config {
  const releases = z.record(z.string(), z.unknown()).parse(config["rollback:releases"]);
  return {
    ...config,
    "rollback:releases": { ...releases, "1.2.4": withRating },
    "rollback:live": { "1.2.4": 100 },
  };
}

/** For how many milliseconds each request of the router's log was held. */
async function heldOf(router: string): Promise<number[]> {
  const log = await docker(["logs", router]);
  return log.split("\n").flatMap((line) => {
    const held = /"held":"(\d+)"/.exec(line)?.[1];
    return held === undefined || line.includes("/health") ? [] : [Number(held)];
  });
}

describe("a live rollback", function () {
  this.timeout(180_000);
  const asked = (liveRollback: string) => ({ safety: { bake: "1s", liveRollback }, redis: false });
  let stack: ScratchStack;

  before(async () => {
    stack = await createStack();
    await stack.configure({ ...asked("required"), live: { "1.2.1": 100 } }, live124);
    await stack.up();
    await stack.query(
      "mealie",
      "INSERT INTO recipes (slug, name, rating) SELECT 'r' || n, 'recipe ' || n, n % 6 FROM generate_series(1, 200) n",
    );
  });
  after(() => stack.cleanup());

  it("is promised by the preview, also when a revert took the leaving release out of the catalogue", async () => {
    await stack.configure({ ...asked("required"), live: { "1.2.1": 100 } });
    const { output } = await stack.preview();
    assert.match(output, /schema of mealie: 5 → 4 \(taken back\)/);
    assert.match(output, /no request is held although mealie goes back from 5 to 4/);
    assert.doesNotMatch(output, /holds requests|not live/);
  });

  it("takes migrations back while requests go on: none failed, none held, what is dropped is kept", async () => {
    const before = await gateStatus(stack.names.door);
    const seen = await underLoad(stack);
    await assertUnharmed(stack, seen);
    await assertServes(stack, "1.2.1");
    assert.equal((await schemaVersions(stack))["mealie"], "4");
    assert.equal(heldFor(seen.ended), undefined);
    assert.match(seen.ended.output, /a live rollback: nobody waits/);
    assert.match(seen.ended.output, /rollback proven: .*no request was held/);
    // The gate was opened, as by every run, and never told to hold.
    const { mode, epoch } = await gateStatus(stack.names.door);
    assert.deepEqual([mode, epoch - before.epoch], ["open", 1]);
    const held = await heldOf(stack.names.router);
    assert.ok(held.length > 100, `only ${held.length} requests in the router's log`);
    // The log counts from the gate's first look at the clock to its second, on a busy machine a few milliseconds.
    assert.deepEqual(
      held.filter((ms) => ms >= 100),
      [],
    );
    const [archive] = await stack.query("mealie", "SELECT name, rows::int FROM rollback.archive");
    assert.equal(archive?.["rows"], 200);
    assert.equal((await dumpsOf(stack)).length, 1);
  });

  it("is refused by name and step where a release that serves would fail, and nothing happens", async () => {
    await stack.configure({
      ...asked("required"),
      live: { "1.2.1-rc1": 100 },
      releases: ["1.2.1-rc1", "1.2.1"],
    });
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused ROLLBACK_NOT_LIVE/);
    assert.match(
      output,
      /meal_planner 23 \(down\): takes the column auto_meal_plans\.recipe_json away; 1\.2\.1 is not declared compatible with 22/,
    );
    await assertServes(stack, "1.2.1");
    assert.equal((await schemaVersions(stack))["meal_planner"], "23");
  });

  it("says why not and holds as ever where it is only wanted", async () => {
    await stack.configure({
      ...asked("wanted"),
      live: { "1.2.1-rc1": 100 },
      releases: ["1.2.1-rc1", "1.2.1"],
    });
    const { output } = await stack.preview();
    assert.match(output, /not live, because of meal_planner 23 \(down\): takes the column/);
    assert.match(output, /holds requests for at most 30 s/);
  });
});
