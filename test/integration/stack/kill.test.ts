import { at, killTrials } from "../../support/kill-trials.ts";
import { lineOf, stepOf } from "../../support/stack-events.ts";

// The instants between which a stack is neither the one nor the other; every other one is in test/long/stack/kill.test.ts.
describe("an engine that is killed while it rolls a release out or back", function () {
  this.timeout(180_000);
  killTrials([
    ["the fence, when roles are closed", at(lineOf("fence", /closed in the database/))],
    ["the schema, in its transaction", at(lineOf("schema", /\(2 of 3\)/))],
    ["the switch of the traffic", at(stepOf("traffic"))],
  ]);
});
