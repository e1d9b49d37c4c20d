import assert from "node:assert/strict";
import { planChange, rolesToRetire } from "../../../operations/plan/change.ts";
import { desiredState } from "../../../operations/plan/desired.ts";
import { differences } from "../../../operations/plan/drift.ts";
import { effectInputs } from "../../../operations/plan/inputs.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { emptyWorld, order, settingsOf, worldAfter } from "./fixture.ts";

const at20 = { meal_planner: "20", mealie: "4" };
const at23 = { meal_planner: "23", mealie: "4" };

/** What has to change on the way from one configuration, fully carried out, to another. */
function changeFrom(
  from: Parameters<typeof settingsOf>[0],
  versions: Readonly<Record<string, string>>,
  to: Parameters<typeof settingsOf>[0],
) {
  const { world } = worldAfter(settingsOf(from), versions);
  const settings = settingsOf(to);
  const seen = { ...world, images: emptyWorld(settings).images };
  return planChange(settings, seen, desiredState(settings, seen, order), false);
}

describe("the change that a run makes", () => {
  it("of the first run holds nobody and dumps nothing", () => {
    const settings = settingsOf({ live: { "1.2.0": 100 } });
    const world = emptyWorld(settings);
    const change = planChange(settings, world, desiredState(settings, world, order), false);
    assert.equal(change.kind, "first deployment");
    assert.deepEqual([change.hold, change.dump, change.closing], [false, false, []]);
    assert.deepEqual(change.arriving, ["1.2.0"]);
  });

  it("with a migration the old release does not run on holds requests and closes the old release's roles", () => {
    const change = changeFrom({ live: { "1.2.0": 100 } }, at20, {
      live: { "1.2.1": 100 },
      releases: ["1.2.0", "1.2.1"],
    });
    assert.equal(change.kind, "deployment");
    assert.deepEqual(change.schema, [
      { database: "meal_planner", from: "20", to: "23", direction: "forward" },
    ]);
    assert.deepEqual([change.hold, change.dump], [true, true]);
    assert.deepEqual([...change.closing].sort(), ["meal_planner_1_2_0", "mealie_1_2_0"].sort());
  });

  it("is one of code also where a standby that ran all along gets the traffic, and not where weights shift", () => {
    const codeOf = (from: Record<string, number>, to: Record<string, number>): boolean => {
      const names = (weights: Record<string, number>) =>
        ["1.2.1", "1.2.3"].filter((name) => !(name in weights));
      const settings = settingsOf({ live: to, standby: names(to) as never });
      const { world, desired } = worldAfter(settings, at23);
      const journal = { overtaken: false, weights: new Map(Object.entries(from)) } as never;
      return planChange(settings, { ...world, journal }, desired, false).code;
    };
    assert.equal(codeOf({ "1.2.1": 100 }, { "1.2.3": 100 }), true);
    assert.equal(codeOf({ "1.2.1": 100 }, { "1.2.1": 90, "1.2.3": 10 }), true);
    assert.equal(codeOf({ "1.2.1": 90, "1.2.3": 10 }, { "1.2.1": 10, "1.2.3": 90 }), false);
    assert.equal(codeOf({ "1.2.1": 100 }, { "1.2.1": 100 }), false);
  });

  it("with a migration the old release runs on holds nobody", () => {
    const change = changeFrom(
      { live: { "1.2.1-rc1": 100 } },
      { meal_planner: "22", mealie: "4" },
      { live: { "1.2.1": 90, "1.2.1-rc1": 10 } },
    );
    assert.deepEqual(
      change.schema.map(({ direction }) => direction),
      ["forward"],
    );
    assert.deepEqual([change.hold, change.dump, change.closing], [false, true, []]);
  });

  it("that takes migrations back always holds, also when the revert took the bad release out of the catalogue", () => {
    const change = changeFrom({ live: { "1.2.1": 100 } }, at23, { live: { "1.2.0": 100 } });
    assert.equal(change.kind, "rollback");
    assert.deepEqual(change.schema, [
      { database: "meal_planner", from: "23", to: "20", direction: "reverse" },
    ]);
    assert.equal(change.hold, true);
    assert.deepEqual([change.leaving, change.arriving], [["1.2.1"], ["1.2.0"]]);
  });

  it("that may meet requests holds nobody and closes nobody, unless the server has to stop", () => {
    const settings = settingsOf({ live: { "1.2.0": 100 } });
    const { world } = worldAfter(settingsOf({ live: { "1.2.1": 100 } }), at23);
    const seen = { ...world, images: emptyWorld(settings).images };
    const change = (replaced: boolean, because: string[]) =>
      planChange(settings, seen, desiredState(settings, seen, order), replaced, { because, signature: "" });
    const live = change(false, []);
    assert.deepEqual([live.live, live.hold, live.closing, live.dump], [true, false, [], true]);
    const stops = change(true, []);
    assert.deepEqual([stops.live, stops.hold, stops.notLive], [false, true, stops.serverStops]);
    const unfit = change(false, ["a column"]);
    assert.deepEqual([unfit.live, unfit.hold, unfit.notLive], [false, true, ["a column"]]);
  });

  it("of code only needs no hold, no dump and no fence", () => {
    const change = changeFrom({ live: { "1.2.3": 100 }, standby: ["1.2.1"] }, at23, {
      live: { "1.2.1": 100 },
      standby: ["1.2.3"],
    });
    assert.deepEqual(
      [change.schema, change.hold, change.dump, change.closing, change.leaving],
      [[], false, false, [], []],
    );
  });

  it("of a server that has to stop holds requests, whatever the schema does", () => {
    const settings = settingsOf({ live: { "1.2.0": 100 } });
    const { world, desired } = worldAfter(settings, at20);
    assert.equal(planChange(settings, world, desired, true).hold, true);
    assert.equal(planChange(settings, world, desired, false).hold, false);
  });
});

describe("the desired state", () => {
  it("runs a standby only when the schema suits it, and opens its roles only then", () => {
    const settings = settingsOf({ live: { "1.2.1": 100 }, standby: ["1.2.0"] });
    const desired = desiredState(settings, emptyWorld(settings), order);
    assert.deepEqual(desired.running, ["1.2.1"]);
    assert.equal(desired.roles.find(({ role }) => role === "meal_planner_1_2_0")?.open, false);
    assert.equal(desired.roles.find(({ role }) => role === "meal_planner_1_2_1")?.open, true);
  });

  it("refuses live releases that do not run on one schema", () => {
    const settings = settingsOf({ live: { "1.2.1": 50, "1.2.0": 50 } });
    assert.throws(
      () => desiredState(settings, emptyWorld(settings), order),
      (error) => isRefusal(error, "LIVE_INCOMPATIBLE"),
    );
  });

  it("gives a container another name when what forces a new one has changed", () => {
    const names = (options: Parameters<typeof settingsOf>[0]) => {
      const settings = settingsOf(options);
      return desiredState(settings, emptyWorld(settings), order).containers.map(({ name }) => name);
    };
    const plain = names({ live: { "1.2.0": 100 } });
    assert.deepEqual(plain, names({ live: { "1.2.0": 100 }, standby: ["1.2.1"] }).slice(0, 2));
    assert.notDeepEqual(plain, names({ live: { "1.2.0": 100 }, redis: false }));
  });
});

describe("what differs from the wish", () => {
  const settings = settingsOf({ live: { "1.2.0": 100 } });

  it("is nothing when all is as wished", () => {
    const { world, desired } = worldAfter(settings, at20);
    assert.deepEqual(differences(settings, world, desired, "routes"), []);
  });

  it("is named: schema, roles, containers, gate and routes", () => {
    const { world, desired } = worldAfter(settings, at23);
    const changed = {
      ...world,
      containers: world.containers.slice(1),
      gateway: { mode: "hold", rest: "open", routes: "others" } as const,
    };
    const lines = differences(settings, changed, desired, "routes");
    for (const part of [
      "meal_planner is at 23 instead of 20",
      "is missing",
      "the gate is holding",
      "the router has other routes",
    ]) {
      assert.ok(
        lines.some((line) => line.includes(part)),
        `${part} in ${lines.join(" | ")}`,
      );
    }
  });
});

describe("the inputs of the effects", () => {
  it("hold names and keyed hashes, never a secret", () => {
    const settings = settingsOf({ live: { "1.2.0": 100 } });
    const text = JSON.stringify(effectInputs(settings, desiredState(settings, emptyWorld(settings), order)));
    for (const name of settings.secrets.names) assert.ok(!text.includes(settings.secrets.get(name)));
    assert.match(text, /"live":\{"1.2.0":100\}/);
  });
});

describe("the roles that a run retires", () => {
  const left = (
    from: Parameters<typeof settingsOf>[0],
    versions: Readonly<Record<string, string>>,
    to: Parameters<typeof settingsOf>[0],
  ): string[] => {
    const { world } = worldAfter(settingsOf(from), versions);
    const settings = settingsOf(to);
    const seen = { ...world, images: emptyWorld(settings).images };
    return rolesToRetire(settings, seen, desiredState(settings, seen, order));
  };

  it("are those of releases that leave, also when the configuration does not know them any more", () => {
    assert.deepEqual(left({ live: { "1.2.1": 100 } }, at23, { live: { "1.2.0": 100 } }).sort(), [
      "meal_planner_1_2_1",
      "mealie_1_2_1",
    ]);
  });

  it("are not those of a release that stands by", () => {
    const both = { releases: ["1.2.1", "1.2.3"] } as const;
    assert.deepEqual(
      left({ ...both, live: { "1.2.3": 100 } }, at23, {
        ...both,
        live: { "1.2.1": 100 },
        standby: ["1.2.3"],
      }),
      [],
    );
  });
});
