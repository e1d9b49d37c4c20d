import assert from "node:assert/strict";
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
});
