import assert from "node:assert/strict";
import { z } from "zod";
import { stackConfiguration, type StackOptions } from "../../../examples/meal-planner/stack.ts";
import { desiredState } from "../../../operations/plan/desired.ts";
import { checkCapacity, describeCapacity, missingCapacity } from "../../../operations/preflight/capacity.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { order, settingsOf, worldAfter } from "../plan/fixture.ts";

/** The Meal Planner with as many containers of the planner. */
function sized(options: StackOptions, replicas: number) {
  const services = z
    .record(z.string(), z.looseObject({}))
    .parse(stackConfiguration(options)["rollback:services"]);
  return settingsOf(options, {
    "rollback:services": { ...services, "meal-planner": { ...services["meal-planner"], replicas } },
  });
}

/** What is missing when a stack of `had` containers, that finished, gets another configuration. */
function missing(from: StackOptions, had: number, to: StackOptions, has: number) {
  const { world } = worldAfter(sized(from, had), { meal_planner: "23", mealie: "4" });
  const weights = new Map(Object.entries(from.live));
  const settings = sized(to, has);
  const seen = { ...world, journal: { overtaken: false, weights } as never };
  const found = missingCapacity(settings, seen, desiredState(settings, seen, order));
  return { found, settings };
}

const old = { live: { "1.2.1": 100 } } as const;
const next = { live: { "1.2.3": 100 } } as const;

describe("capacity before a switch", () => {
  it("is missing where fewer containers of another release would take the requests", () => {
    const { found, settings } = missing(next, 3, old, 1);
    assert.deepEqual(describeCapacity(found), [
      "meal-planner: 3 containers of 1.2.3 take its requests, 1.2.1 would have 1",
    ]);
    assert.throws(
      () => checkCapacity(settings, found),
      (error) =>
        isRefusal(error, "CAPACITY_MISSING") &&
        error.message.includes("Set rollback:services.meal-planner.replicas to 3"),
    );
  });

  it("is told and not refused where that is asked for", () => {
    const { found, settings } = missing(next, 3, { ...old, safety: { capacity: "warn" } }, 1);
    assert.equal(found.length, 1);
    assert.doesNotThrow(() => checkCapacity(settings, found));
  });

  it("is there with as many, or more, also for a canary and its end", () => {
    const canary = { live: { "1.2.1": 90, "1.2.3": 10 } } as const;
    for (const [from, had, to, has] of [
      [old, 2, next, 2],
      [old, 1, next, 3],
      [old, 2, canary, 2],
      [canary, 2, next, 2],
    ] as const)
      assert.deepEqual(missing(from, had, to, has).found, []);
  });

  it("is not missed where a pool is made smaller and its release stays", () => {
    assert.deepEqual(missing(old, 3, old, 1).found, []);
  });

  it("counts what runs: a container that is down takes no requests", () => {
    const { world } = worldAfter(sized(next, 2), { meal_planner: "23", mealie: "4" });
    const down = world.containers.find(({ labels }) => labels.get("service") === "meal-planner");
    const containers = world.containers.map((each) => (each === down ? { ...each, running: false } : each));
    const settings = sized(old, 1);
    const seen = {
      ...world,
      containers,
      journal: { overtaken: false, weights: new Map([["1.2.3", 100]]) } as never,
    };
    assert.deepEqual(missingCapacity(settings, seen, desiredState(settings, seen, order)), []);
  });
});
