import assert from "node:assert/strict";
import { decideRevision } from "../../../operations/plan/revision.ts";
import type { FinishedRun } from "../../../operations/plan/world.ts";

const finished: FinishedRun = {
  run: "r1",
  revision: "r1",
  inputs: "{}",
  releases: new Map(),
  images: new Map(),
  weights: new Map(),
  containers: new Map(),
  secrets: new Map(),
  finishedAt: "2026-01-01T00:00:00Z",
  overtaken: false,
};

describe("the revision of a run", () => {
  it("is the recorded one when inputs and world are as the last finished run left them", () => {
    assert.deepEqual(decideRevision("{}", finished, []), { revision: "r1", steady: true, because: [] });
  });

  it("is new when the configuration changed, the world drifted or no run is on record", () => {
    for (const [inputs, journal, drift] of [
      ['{"a":1}', finished, []],
      ["{}", finished, ["container x is missing"]],
      ["{}", undefined, []],
      ["{}", { ...finished, overtaken: true }, []],
    ] as const) {
      const decided = decideRevision(inputs, journal, drift);
      assert.equal(decided.steady, false);
      assert.notEqual(decided.revision, "r1");
      assert.equal(decided.because.length, 1);
    }
  });

  it("is never the same twice, so that a repeated step cannot run with an older fence or dump", () => {
    assert.notEqual(
      decideRevision("{}", undefined, []).revision,
      decideRevision("{}", undefined, []).revision,
    );
  });
});
