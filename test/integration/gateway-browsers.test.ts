import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { openGate } from "../../operations/traffic/gate.ts";
import { probe } from "../../operations/traffic/probe.ts";
import { routerConfig } from "../../operations/traffic/router-config.ts";
import { applyRoutes, readFreshUntil } from "../../operations/traffic/routes.ts";
import { startGatewayOfTwo, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { ask } from "../support/http-client.ts";

describe("browsers, after a switch of code", function () {
  this.timeout(60_000);
  let gateway: TestGateway;
  let next: TestUpstream;

  const switched = async (until: number, lasts = 60_000): Promise<string> => {
    const browsers = { clear: ["cache", "storage"] as const, cacheControl: "no-cache", for: lasts };
    return applyRoutes(gateway.router, routerConfig({ ...gateway.plan(next), browsers }, until), "test");
  };
  const page = async (cookie?: string) => {
    const { headers } = await ask(`${gateway.url}/page?cache=max-age=600`, {
      ...(cookie !== undefined && { headers: { cookie } }),
    });
    return {
      clears: headers["clear-site-data"],
      caches: headers["cache-control"],
      cookie: headers["set-cookie"]?.join(),
    };
  };

  before(async function () {
    this.timeout(600_000);
    ({ gateway, next } = await startGatewayOfTwo());
    await openGate(gateway.door);
  });
  after(() => gateway.remove());

  it("are told to clear what they keep, each once, and every answer is kept from caches", async () => {
    const until = Date.now() + 60_000;
    await switched(until);
    const first = await page();
    assert.equal(first.clears, '"cache", "storage"');
    assert.equal(first.caches, "no-cache");
    assert.equal(first.cookie, `rollback-fresh-app=${until}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax`);
    const again = await page(`theme=dark; rollback-fresh-app=${until}`);
    assert.deepEqual(again, { clears: undefined, caches: "no-cache", cookie: undefined });
    const former = await page(`rollback-fresh-app=${until - 1_000}; theme=dark`);
    assert.equal(former.clears, '"cache", "storage"', "a browser that was told of another switch");
  });

  it("hear of it also from answers that are errors, the stack's services do not", async () => {
    const { status, headers } = await ask(`${gateway.url}/?status=404`);
    assert.deepEqual([status, headers["clear-site-data"]], [404, '"cache", "storage"']);
    const inner = await probe(gateway.router, {
      address: "127.0.0.1",
      port: 8080,
      path: "/?cache=max-age=600",
    });
    assert.deepEqual(
      [inner.headers["clear-site-data"], inner.headers["cache-control"]],
      [undefined, "max-age=600"],
    );
  });

  it("hear nothing any more once the time is over, without anybody's doing", async () => {
    await switched(Math.ceil(Date.now() / 1000 + 1.5) * 1000);
    assert.equal((await page()).caches, "no-cache");
    await sleep(3_000);
    assert.deepEqual(await page(), { clears: undefined, caches: "max-age=600", cookie: undefined });
  });

  it("keep the end that was set when routes change otherwise; equal routes are known as such whatever the end", async () => {
    const until = Date.now() + 60_000;
    await switched(until);
    assert.equal(await readFreshUntil(gateway.router), until);
    assert.equal(await switched(until), "unchanged");
  });
});
