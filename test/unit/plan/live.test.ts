import assert from "node:assert/strict";
import { planChange } from "../../../operations/plan/change.ts";
import { desiredState } from "../../../operations/plan/desired.ts";
import { asksForLive, checkLive, servingNow } from "../../../operations/plan/live.ts";
import { releaseRecords } from "../../../operations/preflight/record.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { emptyWorld, order, settingsOf, worldAfter } from "./fixture.ts";

describe("a live rollback", () => {
  const before = settingsOf({ live: { "1.2.1": 100 }, standby: ["1.2.1-rc1"] });
  const { world } = worldAfter(before, { meal_planner: "23", mealie: "4" });

  it("is asked for only by the setting, and only where migrations are taken back", () => {
    const asked = (mode: string, live: string, versions: Record<string, string>) => {
      const settings = settingsOf({ live: { [live]: 100 }, safety: { liveRollback: mode } });
      const seen = { ...worldAfter(before, versions).world, images: emptyWorld(settings).images };
      return asksForLive(settings, planChange(settings, seen, desiredState(settings, seen, order), false));
    };
    const at23 = { meal_planner: "23", mealie: "4" };
    assert.equal(asked("off", "1.2.0", at23), false);
    assert.equal(asked("wanted", "1.2.0", at23), true);
    assert.equal(asked("required", "1.2.0", at23), true);
    assert.equal(asked("wanted", "1.2.1", { meal_planner: "20", mealie: "4" }), false);
  });

  it("believes what the catalogue declares of each release that runs, and nothing of foreign writers", () => {
    const databases = {
      meal_planner: { migrations: "m", layout: "meal-planner", writers: ["etl"] },
      mealie: { migrations: "m", layout: "meal-planner" },
    };
    const settings = settingsOf(
      { live: { "1.2.1": 100 }, standby: ["1.2.1-rc1"] },
      { "rollback:databases": databases },
    );
    const runsOn22 = Object.fromEntries(
      servingNow(settings, world, order).map(({ name, runsOn }) => [name, runsOn("meal_planner", "22")]),
    );
    assert.deepEqual(runsOn22, { "1.2.1": false, "1.2.1-rc1": true, "writer etl": false });
  });

  it("believes the journal of a release that a revert took out of the catalogue", () => {
    const journal = { releases: new Map(Object.entries(releaseRecords(before))) };
    const seen = { ...world, journal: journal as never };
    const reverted = settingsOf({ live: { "1.2.0": 100 } });
    const runsOn = (version: string, from = seen) =>
      servingNow(reverted, from, order)
        .filter((serving) => serving.runsOn("meal_planner", version))
        .map(({ name }) => name);
    assert.deepEqual(runsOn("22"), ["1.2.1-rc1"]);
    assert.deepEqual(runsOn("21"), []);
    assert.deepEqual(runsOn("22", { ...world, journal: undefined as never }), []);
  });

  it("is refused where nothing else is wanted and it cannot be", () => {
    const change = (notLive: string[]) => ({ notLive }) as never;
    const settings = (liveRollback: string) =>
      settingsOf({ live: { "1.2.0": 100 }, safety: { liveRollback } });
    checkLive(settings("wanted"), change(["a column"]));
    checkLive(settings("required"), change([]));
    assert.throws(
      () => checkLive(settings("required"), change(["a column"])),
      (error) => isRefusal(error, "ROLLBACK_NOT_LIVE") && error.message.includes("a column"),
    );
  });
});
