import assert from "node:assert/strict";
import { execa } from "execa";
import { docker } from "../../operations/docker/run.ts";
import { openGate } from "../../operations/traffic/gate.ts";
import type { GatewayPlan } from "../../operations/traffic/plan.ts";
import { routerConfig } from "../../operations/traffic/router-config.ts";
import { applyRoutes } from "../../operations/traffic/routes.ts";
import { startGatewayOfTwo } from "../support/gateway.ts";
import type { TestGateway, TestUpstream } from "../support/gateway.ts";
import { ask } from "../support/http-client.ts";

describe("the shares of two live releases", function () {
  this.timeout(300_000);
  let gateway: TestGateway;
  let old: TestUpstream;
  let next: TestUpstream;

  before(async function () {
    this.timeout(600_000);
    ({ gateway, old, next } = await startGatewayOfTwo());
    await gateway.route(old);
    await openGate(gateway.door);
  });
  after(() => gateway.remove());

  const sticky = (by: "cookie" | "header", weights: readonly [number, number]): Promise<unknown> => {
    const plan: GatewayPlan = {
      ...gateway.plan({ ...old, weight: weights[0] }, { ...next, weight: weights[1] }),
      sticky: { by, name: by === "cookie" ? "canary-id" : "x-user-id" },
    };
    return applyRoutes(gateway.router, routerConfig(plan), "test");
  };
  const releaseFor = async (headers: Record<string, string>): Promise<string> =>
    String((await ask(gateway.url, { headers })).headers["x-release"]);
  const users = Array.from({ length: 300 }, (_, n) => `user-${n}`);
  const releases = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const user of users) found.push(await releaseFor({ "x-user-id": user }));
    return found;
  };

  it("stay with a client by the cookie that the gateway sets once", async () => {
    await sticky("cookie", [1, 1]);
    const seen = new Set<string>();
    for (let client = 0; client < 12; client += 1) {
      const first = await ask(gateway.url);
      const cookie = /^canary-id=[0-9a-f]{32}/.exec(String(first.headers["set-cookie"]))?.[0] ?? "";
      const release = String(first.headers["x-release"]);
      seen.add(release);
      for (let again = 0; again < 5; again += 1) {
        const answer = await ask(gateway.url, { headers: { cookie: `other=1; ${cookie}; last=2` } });
        assert.equal(answer.headers["x-release"], release);
        assert.equal(answer.headers["set-cookie"], undefined);
      }
    }
    assert.equal(seen.size, 2, "both releases have clients");
  });

  it("stay with a client by a header; a canary that grows keeps its clients and one that shrinks gives them back", async () => {
    await sticky("header", [9, 1]);
    const few = await releases();
    const share = few.filter((release) => release === "1.2.1").length / users.length;
    // Four standard deviations of a tenth of 300.
    assert.ok(Math.abs(share - 0.1) < 0.07, `share of the canary: ${share}`);
    await sticky("header", [1, 1]);
    const half = await releases();
    assert.ok(
      few.every((release, n) => release === "1.2.0" || half[n] === "1.2.1"),
      "nobody left the canary that grew",
    );
    await sticky("header", [9, 1]);
    assert.deepEqual(await releases(), few);
  });

  it("send a client on when the containers of its release are gone", async () => {
    const dead = await gateway.upstream("1.2.1");
    await docker(["rm", "-f", "-v", dead.container]);
    const plan: GatewayPlan = { ...gateway.plan(old, dead), sticky: { by: "header", name: "x-user-id" } };
    await applyRoutes(gateway.router, routerConfig(plan), "test");
    for (const user of users.slice(0, 6)) assert.equal(await releaseFor({ "x-user-id": user }), "1.2.0");
  });

  for (const [weight, canary] of [
    [99, 1],
    [90, 10],
  ] as const) {
    it(`are ${weight}/${canary} over 100,000 requests, two workers and two reloads`, async () => {
      const routes = (drain: number) =>
        routerConfig({ ...gateway.plan({ ...old, weight }, { ...next, weight: canary }), drain });
      await applyRoutes(gateway.router, routes(3_000), "test");
      const asking = requests(100_000);
      for (const drain of [4_000, 5_000])
        assert.equal(await applyRoutes(gateway.router, routes(drain), "test"), "applied");
      const counted = await asking;
      const all = (counted["1.2.0"] ?? 0) + (counted["1.2.1"] ?? 0);
      assert.equal(all, 100_000, JSON.stringify(counted));
      const deviation = Math.sqrt((100_000 * weight * canary) / 10_000);
      const off = (counted["1.2.1"] ?? 0) - (100_000 * canary) / 100;
      assert.ok(Math.abs(off) <= 4 * deviation, `${off} off, standard deviation ${deviation}`);
    });
  }

  /** How often each release answered this many requests, asked inside the router's container by several curls at once. */
  async function requests(count: number): Promise<Record<string, number>> {
    const lanes = 4;
    const url = `http://127.0.0.1:8080/?n=[1-${count / lanes}]`;
    const command = ["curl", "-sS", "-o", "/dev/null", "-w", "%header{x-rollback-release}\n", url];
    const said = await Promise.all(
      Array.from({ length: lanes }, () => execa("docker", ["exec", gateway.router, ...command])),
    );
    const counted: Record<string, number> = {};
    for (const release of said.flatMap(({ stdout }) => stdout.split("\n")))
      counted[release] = (counted[release] ?? 0) + 1;
    return counted;
  }
});
