import assert from "node:assert/strict";
import fc from "fast-check";
import { checkPlan, doorPorts, exactWeights } from "../../../operations/traffic/plan.ts";
import type { GatewayPlan } from "../../../operations/traffic/plan.ts";

describe("exactWeights", () => {
  it("splits a release's share evenly over its containers", () => {
    const weights = exactWeights([
      { weight: 90, servers: ["a", "b", "c"] },
      { weight: 10, servers: ["d"] },
    ]);
    assert.deepEqual(
      weights.map(({ weight }) => weight),
      [3, 3, 3, 1],
    );
  });

  it("leaves out what has no weight or no container", () => {
    assert.deepEqual(
      exactWeights([
        { weight: 0, servers: ["a"] },
        { weight: 5, servers: [] },
        { weight: 100, servers: ["b"] },
      ]),
      [{ server: "b", weight: 1 }],
    );
  });

  it("keeps the proportions exactly, in whole numbers without a common divisor", () => {
    const group = fc.record({
      weight: fc.integer({ min: 1, max: 100 }),
      servers: fc.array(fc.constant("x"), { minLength: 1, maxLength: 7 }),
    });
    fc.assert(
      fc.property(fc.array(group, { minLength: 1, maxLength: 4 }), (groups) => {
        const weights = exactWeights(groups).map(({ weight }) => weight);
        assert.ok(weights.every((weight) => Number.isSafeInteger(weight) && weight >= 1));
        let from = 0;
        const sums = groups.map(({ servers }) => {
          const own = weights.slice(from, (from += servers.length));
          assert.equal(new Set(own).size, 1);
          return own.reduce((a, b) => a + b, 0);
        });
        for (const [index, sum] of sums.entries()) {
          assert.equal(sum * (groups[0]?.weight ?? 0), (sums[0] ?? 0) * (groups[index]?.weight ?? 0));
        }
      }),
    );
  });
});

describe("doorPorts", () => {
  const service = (name: string, port: number, address = "127.0.0.1") => ({
    name,
    public: { port, address },
    containerPort: 80,
    servers: [],
  });

  it("listens on the published port, and only for public services", () => {
    const services = [service("meals", 8000), { name: "mealie", containerPort: 9000, servers: [] }];
    assert.deepEqual([...doorPorts({ services })], [["meals", 8000]]);
  });

  it("finds another one where two addresses publish the same port, whatever the order", () => {
    const services = [service("b", 80, "10.0.0.1"), service("a", 80, "10.0.0.2")];
    assert.deepEqual(
      [...doorPorts({ services })],
      [
        ["a", 80],
        ["b", 10_001],
      ],
    );
    assert.deepEqual(doorPorts({ services }), doorPorts({ services: services.toReversed() }));
  });
});

describe("checkPlan", () => {
  const plan = (name: string, server: Partial<GatewayPlan["services"][0]["servers"][0]>): GatewayPlan => ({
    services: [
      {
        name,
        containerPort: 80,
        servers: [{ address: "10.0.0.1", port: 80, weight: 1, release: "1.0.0", ...server }],
      },
    ],
    ...{ hold: 1, held: 1, drain: 1 },
  });

  it("lets nothing into a configuration that could end a directive", () => {
    checkPlan(plan("meal-planner", { address: "fd00::1", release: "1.2.0-rc.1+5" }));
    assert.throws(() => checkPlan(plan("a; }", {})), TypeError);
    assert.throws(() => checkPlan(plan("a", { address: "app" })), /no IP address/);
    assert.throws(() => checkPlan(plan("a", { weight: 0.5 })), /no whole number/);
    assert.throws(() => checkPlan(plan("a", { release: '1" ;' })), /does not fit a header/);
  });
});
