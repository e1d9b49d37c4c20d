import assert from "node:assert/strict";
import { judgeSchema } from "../../../operations/verification/schema.ts";

const seen = { wanted: "23", head: "23", applied: 23, dirty: [], differences: [], changed: true };
const wrong = (found: Parameters<typeof judgeSchema>[1]): readonly string[] =>
  judgeSchema("app", found).flatMap((check) => check.wrong);

describe("the schema after a run", () => {
  it("is fine at its version, with a whole history and the recorded catalogue", () => {
    assert.deepEqual(wrong(seen), []);
  });

  it("is wrong at another version", () => {
    assert.deepEqual(wrong({ ...seen, head: "22" }), ["not at 23"]);
  });

  it("is wrong with a migration that was begun and not finished", () => {
    assert.deepEqual(wrong({ ...seen, dirty: ["24"] }), ["begun and not finished: 24"]);
  });

  it("is wrong when this run's migrations left another catalogue; an older change by hand is only told", () => {
    const differences = ["index by_hand is new"];
    assert.deepEqual(wrong({ ...seen, differences }), ["not what the migrations leave"]);
    assert.deepEqual(wrong({ ...seen, differences, changed: false }), []);
    assert.match(judgeSchema("app", { ...seen, differences }).at(-1)?.found ?? "", /by_hand/);
  });
});
