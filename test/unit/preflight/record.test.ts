import assert from "node:assert/strict";
import { checkSecrets, secretHistory } from "../../../operations/preflight/record.ts";
import { checkCatalogue } from "../../../operations/preflight/checks.ts";
import { order, settingsOf } from "../plan/fixture.ts";
import { isRefusal } from "../../../settings/refusal.ts";

describe("secrets across runs", () => {
  const history = new Map([["db", ["old", "new"]]]);

  it("may stay, be rotated or be added", () => {
    checkSecrets(new Map([["db", "new"]]), history);
    checkSecrets(new Map([["db", "newer"]]), history);
    checkSecrets(new Map([["apiKey", "a"]]), history);
  });

  it("may not go back to a value that was replaced, which a plain revert of the stack file would do", () => {
    assert.throws(
      () => checkSecrets(new Map([["db", "old"]]), history),
      (error) => isRefusal(error, "SECRET_REVERTED") && !error.message.includes("old "),
    );
  });

  it("are remembered in the order they came", () => {
    assert.deepEqual(secretHistory(new Map([["db", "newer"]]), history), { db: ["old", "new", "newer"] });
    assert.deepEqual(secretHistory(new Map([["db", "new"]]), history), { db: ["old", "new"] });
  });
});

describe("the catalogue", () => {
  const settings = settingsOf({ live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"] });
  const images = { "meal-planner": "meal-planner:v1.2.0", mealie: "mealie:v1.0.3" };
  const deployed = (version: string) =>
    new Map([["1.2.0", { images, schema: { meal_planner: version, mealie: "4" } }]]);

  it("may not give another schema to a release that was deployed, live or not", () => {
    checkCatalogue(settings, deployed("20"), order);
    assert.throws(
      () => checkCatalogue(settings, deployed("19"), order),
      (error) => isRefusal(error, "RELEASE_CHANGED"),
    );
  });

  it("may not name a version that nobody knows, but for a release that was deployed when it was known", () => {
    const short = new Map([...order, ["meal_planner", ["21", "22", "23"]] as const]);
    assert.throws(
      () => checkCatalogue(settings, new Map(), short),
      (error) => isRefusal(error, "SCHEMA_UNKNOWN_VERSION") && error.message.includes('releases["1.2.0"]'),
    );
    checkCatalogue(settings, deployed("20"), short);
  });
});
