import assert from "node:assert/strict";
import { decide } from "../../../operations/decide/decision.ts";
import { describeDecision } from "../../../operations/decide/describe.ts";
import type { Facts, WayBackFacts } from "../../../operations/decide/facts.ts";
import type { Attempt } from "../../../operations/verification/bake.ts";

const limits = { errorRate: 5, responseTime: 5_000 };
const untold = { corrupted: undefined, affected: undefined };
const back: WayBackFacts = {
  release: "1.2.0",
  code: ["meal-planner"],
  flags: [],
  schema: ["meal_planner 23 → 20: 3 migrations"],
  archived: ["meal_planner.auto_meal_plans"],
  refused: undefined,
  running: false,
};
const facts: Facts = {
  live: "1.2.1",
  since: "2026-11-25T05:49:12.081Z",
  previous: "1.2.0",
  unfinished: false,
  attempts: attempts("1.2.1", 100, 0),
  window: 10,
  damage: [],
  written: [{ database: "meal_planner", table: "food_logs", rows: 120 }],
  back,
  dump: { name: "dump-1", at: "2026-11-25T05:40:00Z", bytes: 1.8e9 },
  tookBefore: [12, 6, 30],
};

/** `bad` of `count` attempts ended in 502. */
function attempts(release: string, count: number, bad: number): Attempt[] {
  return Array.from({ length: count }, (_, n) => ({ release, status: n < bad ? 502 : 200, seconds: 0.01 }));
}

describe("rollback decide", () => {
  it("leaves alone what works", () => {
    const { recommended, answers } = decide(facts, untold, limits);
    assert.equal(recommended, "watch");
    assert.deepEqual(
      answers.map(({ yes }) => yes),
      [false, false, false],
    );
  });

  it("goes back when the live release fails more requests than is allowed", () => {
    const { recommended, ways } = decide({ ...facts, attempts: attempts("1.2.1", 100, 6) }, untold, limits);
    assert.equal(recommended, "rollback");
    assert.equal(ways[0]?.name, "rollback");
    assert.match(ways[0].change, /rollback:live: \{ "1\.2\.0": 100 \}/);
  });

  it("reckons with the median of this stack's earlier rollbacks", () => {
    const way = decide(facts, untold, limits).ways.find(({ name }) => name === "rollback");
    assert.equal(way?.minutes, 0.2);
  });

  it("goes back when people say that users are affected, whatever is measured", () => {
    assert.equal(decide(facts, { ...untold, affected: true }, limits).recommended, "rollback");
  });

  it("switches flags back where nothing else differs", () => {
    const only = {
      ...back,
      code: [],
      schema: [],
      flags: ["meal-planner FEATURE_MEALIE_ENABLED: true → false"],
    };
    const { recommended, ways } = decide({ ...facts, back: only }, { ...untold, affected: true }, limits);
    assert.equal(recommended, "flags");
    assert.match(ways[0]?.change ?? "", /FEATURE_MEALIE_ENABLED: true → false/);
  });

  it("rolls forward when the way back would be refused, and says why", () => {
    const refused = { ...back, refused: "SCHEMA_NO_REVERSAL: meal_planner 21 has no stored reversal." };
    const { recommended, ways } = decide({ ...facts, back: refused }, { ...untold, affected: true }, limits);
    assert.equal(recommended, "forward");
    assert.match(ways.find(({ name }) => name === "rollback")?.impossible ?? "", /SCHEMA_NO_REVERSAL/);
  });

  it("recovers when data is damaged, asks nothing further, and counts what that loses", () => {
    const damage = [{ database: "meal_planner", text: "meals is empty, and 5000 rows were in it" }];
    const { recommended, answers, ways } = decide({ ...facts, damage }, untold, limits);
    assert.equal(recommended, "recover");
    assert.equal(answers.length, 1);
    assert.equal(ways[0]?.rowsLost, 120);
  });

  it("believes people who have looked at a sign", () => {
    const damage = [{ database: "meal_planner", text: "index i is invalid" }];
    assert.equal(decide({ ...facts, damage }, { ...untold, corrupted: false }, limits).recommended, "watch");
  });

  it("says so when it cannot know", () => {
    const text = describeDecision(decide({ ...facts, written: undefined, dump: undefined }, untold, limits));
    assert.match(text, /not possible: there is no whole dump/);
    assert.match(text, /\?/);
  });
});
