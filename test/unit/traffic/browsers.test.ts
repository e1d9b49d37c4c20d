import assert from "node:assert/strict";
import { freshUntil, secondsBefore } from "../../../operations/traffic/browsers.ts";
import { routerConfig } from "../../../operations/traffic/router-config.ts";
import type { GatewayPlan } from "../../../operations/traffic/plan.ts";

describe("secondsBefore", () => {
  it("matches the seconds before an end, and neither that nor any later one", () => {
    for (const end of [1_764_059_177, 1_700_000_000, 1_999_999_999, 1_764_059_170, 1_000_000_001]) {
      const pattern = new RegExp(`^(?:${secondsBefore(end)})$`);
      for (const distance of [1, 2, 9, 10, 11, 99, 3_600, 86_400]) {
        const before = String(end - distance);
        assert.equal(pattern.test(before), before.length === String(end).length, `${before} < ${end}`);
        assert.ok(!pattern.test(String(end + distance)), `${end + distance} > ${end}`);
      }
      assert.ok(!pattern.test(String(end)));
    }
  });

  it("matches nothing before the beginning", () => {
    assert.ok(!new RegExp(`^(?:${secondsBefore(0)})$`).test("0"));
  });
});

describe("what browsers are told", () => {
  const plan: GatewayPlan = {
    services: [
      {
        name: "meal-planner",
        public: { port: 8000, address: "127.0.0.1" },
        containerPort: 8080,
        servers: [{ address: "10.0.0.5", port: 8080, weight: 1, release: "1.2.0" }],
      },
    ],
    hold: 1,
    held: 1,
    drain: 1,
    browsers: { clear: ["cache"], cacheControl: undefined, for: 3_600_000 },
  };

  it("is no part of the routes' generation but for what is told: its end is not drift", () => {
    const later = routerConfig(plan, 1_764_059_177_000);
    assert.equal(later.generation, routerConfig(plan).generation);
    assert.notEqual(later.generation, routerConfig({ ...plan, browsers: undefined }).generation);
    assert.equal(freshUntil(later.text), 1_764_059_177_000);
    assert.equal(freshUntil(routerConfig({ ...plan, browsers: undefined }).text), 0);
  });

  it("leaves the application's Cache-Control alone unless another was asked for", () => {
    assert.doesNotMatch(routerConfig(plan).text, /Cache-Control/);
  });
});
