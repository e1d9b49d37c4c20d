import assert from "node:assert/strict";
import { judge, valueAt } from "../../../operations/verification/smoke.ts";
import { checkTable, failures } from "../../../operations/verification/report.ts";
import type { SmokeTest } from "../../../settings/types.ts";

const test: SmokeTest = {
  method: "GET",
  path: "/api/logs",
  status: 200,
  body: undefined,
  json: new Map<string, string | number>([
    ["items.0.id", 7],
    ["release", "1.2.0"],
  ]),
  timeout: 1000,
};
const good = { status: 200, body: JSON.stringify({ items: [{ id: 7 }], release: "1.2.0" }), ms: 12 };

describe("a smoke test", () => {
  it("is passed by the answer it asks for", () => {
    assert.deepEqual(judge(test, good), []);
  });

  it("names status, time and values that differ", () => {
    assert.deepEqual(judge(test, { ...good, status: 503 }), ["status 503 instead of 200"]);
    assert.deepEqual(judge(test, { ...good, ms: 2500.4 }), ["took 2500 ms, allowed are 1000"]);
    assert.deepEqual(judge(test, { ...good, body: JSON.stringify({ items: [], release: "1.2.1" }) }), [
      "items.0.id is absent instead of 7",
      'release is "1.2.1" instead of "1.2.0"',
    ]);
    assert.deepEqual(judge(test, { ...good, body: "<html>" }), ["the answer is not JSON"]);
  });

  it("finds no value where the document has none, not even an inherited one", () => {
    assert.equal(valueAt({ a: 1 }, "constructor"), undefined);
    assert.equal(valueAt([1, 2], "1"), 2);
    assert.equal(valueAt(null, "a.b"), undefined);
  });
});

describe("the report of a verification", () => {
  it("marks what is wrong and lists it", () => {
    const checks = [
      { what: "schema meal_planner", found: "22", wrong: [] },
      { what: "table food_logs", found: "3 rows", wrong: ["lost 4 rows"] },
    ];
    assert.deepEqual(
      failures(checks).map(({ what }) => what),
      ["table food_logs"],
    );
    assert.match(checkTable(checks), /food_logs.*WRONG: lost 4 rows/);
    assert.match(checkTable(checks), /schema meal_planner.*ok/);
  });
});
