import assert from "node:assert/strict";
import { readSettings } from "../../../settings/parse.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { fitsSchema, wantedSchema, type MigrationOrder } from "../../../settings/schema.ts";
import { configuration, type Change } from "./example.ts";

// Not in the order of the numbers: position is what counts.
const order: MigrationOrder = new Map([
  ["meal_planner", ["20", "21", "7", "22", "23"]],
  ["mealie", ["1", "2", "3", "4"]],
]);
const both: Change[] = [
  [["live"], { "1.2.0": 90, "1.2.1": 10 }],
  [["standby"], []],
];
const compatible = (range: string | undefined): Change => [
  ["releases", "1.2.0", "compatible", "meal_planner"],
  range,
];

describe("the schema that the live releases want", () => {
  it("is that of the only live release, of which no order need be known", () => {
    const wanted = wantedSchema(readSettings(configuration()), new Map());
    assert.deepEqual(
      [...wanted],
      [
        ["meal_planner", "23"],
        ["mealie", "4"],
      ].sort(),
    );
  });

  it("is the newest of theirs by position, when the older are compatible with it", () => {
    assert.equal(wantedSchema(readSettings(configuration(...both)), order).get("meal_planner"), "23");
  });

  it("is refused when an older live release does not run on it", () => {
    for (const range of [undefined, "22", "21..22", "7..22"]) {
      assert.throws(
        () => wantedSchema(readSettings(configuration(...both, compatible(range))), order),
        (error) =>
          isRefusal(error, "LIVE_INCOMPATIBLE") &&
          error.message.includes("meal_planner would be at 23, which does not suit 1.2.0"),
        range,
      );
    }
  });

  it("is refused when a version has no place in the order", () => {
    const unknown: Change = [["releases", "1.2.0", "schema", "meal_planner"], "19"];
    assert.throws(
      () => wantedSchema(readSettings(configuration(...both, unknown)), order),
      (error) => isRefusal(error, "SCHEMA_UNKNOWN_VERSION") && error.message.includes("19 of meal_planner"),
    );
  });
});

describe("fitsSchema", () => {
  const release = (range: string | undefined) => {
    const entry = readSettings(configuration(compatible(range))).releases.get("1.2.0");
    assert.ok(entry !== undefined);
    return entry;
  };
  const fitting = (range: string | undefined) =>
    ["0", "20", "21", "7", "22", "23"].filter((version) =>
      fitsSchema(release(range), "meal_planner", version, order),
    );

  it("takes the version a release wants, and its range with both ends, by position", () => {
    assert.deepEqual(fitting(undefined), ["22"]);
    assert.deepEqual(fitting("23"), ["22", "23"]);
    assert.deepEqual(fitting("21..23"), ["21", "7", "22", "23"]);
    assert.deepEqual(fitting("0..21"), ["0", "20", "21", "22"]);
  });

  it("takes nothing between ends that are not in the order", () => {
    assert.deepEqual(fitting("22..30"), ["22"]);
  });
});
