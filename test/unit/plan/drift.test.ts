import assert from "node:assert/strict";
import { planChange } from "../../../operations/plan/change.ts";
import { differences } from "../../../operations/plan/drift.ts";
import { settingsOf, worldAfter } from "./fixture.ts";

describe("what differs from the wish", () => {
  it("is an archive that takes nothing, which a run with nothing else to do must not pass over", () => {
    const options = { live: { "1.2.0": 100 } } as const;
    const cluster = { volume: "pgdata-1", backup: { schedule: "@daily" } };
    const archived = settingsOf(options, { "rollback:cluster": cluster });
    const segment = "00000001000000000000000A";
    for (const [settings, told] of [
      [archived, [`${segment} of the WAL cannot be archived`]],
      [settingsOf(options), []],
    ] as const) {
      const { world, desired } = worldAfter(settings, { meal_planner: "20", mealie: "4" });
      assert.deepEqual(differences(settings, world, desired, "routes"), []);
      const { server } = world;
      assert.ok(server.answers);
      const observation = { ...server.observation, unarchived: segment };
      const failing = { ...world, server: { ...server, observation } };
      assert.deepEqual(differences(settings, failing, desired, "routes"), told);
    }
  });

  it("is a timeline in the archive that the server does not come from: it holds requests, and restarts", () => {
    const settings = settingsOf({ live: { "1.2.0": 100 } });
    const { world, desired } = worldAfter(settings, { meal_planner: "20", mealie: "4" });
    const left = { ...world, abandoned: { own: 1, newest: 2 } };
    assert.deepEqual(differences(settings, left, desired, "routes"), [
      "the archive has timeline 2, which the server on timeline 1 does not come from",
    ]);
    const { hold, reasons, closing } = planChange(settings, left, desired, false);
    assert.deepEqual(
      { hold, reasons, closing },
      {
        hold: true,
        reasons: ["the server opens a new timeline"],
        closing: [],
      },
    );
    assert.equal(planChange(settings, world, desired, false).hold, false);
  });
});
