import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../operations/docker/run.ts";
import { gateStatus, openGate } from "../../operations/traffic/gate.ts";
import { openHold } from "../../operations/traffic/lease.ts";
import { waitHealthy } from "../../operations/traffic/probe.ts";
import { readRoutes } from "../../operations/traffic/routes.ts";
import { startGatewayOfTwo } from "../support/gateway.ts";
import type { TestGateway, TestUpstream } from "../support/gateway.ts";
import { ask, tally, told } from "../support/http-client.ts";

describe("the door without its router", function () {
  this.timeout(90_000);
  let gateway: TestGateway;
  let old: TestUpstream;
  let next: TestUpstream;
  const hold = { hold: 60_000, held: 10_000, leaseMs: 30_000 };
  const status = () => gateStatus(gateway.door);

  before(async function () {
    this.timeout(600_000);
    ({ gateway, old, next } = await startGatewayOfTwo());
  });
  after(() => gateway.remove());

  beforeEach(async () => {
    await gateway.route(old);
    await openGate(gateway.door);
  });

  it("lets requests wait until it is back, POSTs with their bodies too", async () => {
    await docker(["kill", gateway.router]);
    const body = randomBytes(300_000);
    const waiting = Array.from({ length: 20 }, () => ask(gateway.url, { method: "POST", body }));
    waiting.push(ask(gateway.url), ask(gateway.url, { method: "DELETE" }));
    await gateway.held(22);
    assert.equal((await status()).inFlight, 0);
    await docker(["start", gateway.router]);
    const all = await Promise.all(waiting);
    const hash = createHash("sha256").update(body).digest("hex");
    assert.deepEqual(tally(all.map(({ status: code }) => code)), { 200: 2, 201: 20 });
    for (const answer of all.slice(0, 20)) assert.equal(told.parse(JSON.parse(answer.body)).sha256, hash);
  });

  it("asks again for what a killed router had not answered, but never for a POST that was sent", async () => {
    const id = `once-${randomBytes(4).toString("hex")}`;
    const get = ask(`${gateway.url}/?ms=1000`);
    const post = ask(`${gateway.url}/?ms=1000`, { method: "POST", body: `{"clientId":"${id}"}` });
    await sleep(300);
    await docker(["kill", gateway.router]);
    await docker(["start", gateway.router]);
    assert.equal((await get).status, 200);
    assert.equal((await post).status, 502);
    assert.equal((await gateway.seenBy(old))[id], 1);
  });

  it("sends what a container had when it died elsewhere, but for a POST: that is answered 502 and reaches no second one", async () => {
    const frail = await gateway.upstream("1.2.2");
    await waitHealthy(gateway.router, frail.container, { ...frail, path: "/health" }, { deadlineMs: 30_000 });
    await gateway.route(old, frail);
    const ids = Array.from({ length: 8 }, (_, n) => `frail-${n}-${randomBytes(4).toString("hex")}`);
    const posts = ids.map(async (id) => {
      const { status: code } = await ask(`${gateway.url}/?ms=2000`, {
        method: "POST",
        body: `{"clientId":"${id}"}`,
      });
      return { id, code };
    });
    const gets = ids.map(() => ask(`${gateway.url}/?ms=2000`));
    await sleep(1_000);
    await docker(["kill", frail.container]);
    const answered = await Promise.all(posts);
    const seen = await gateway.seenBy(old);
    // Which of both a request meets depends on the order in which they arrive.
    assert.deepEqual(Object.keys(tally(answered.map(({ code }) => code))), ["201", "502"]);
    for (const { id, code } of answered) assert.equal(seen[id] ?? 0, code === 201 ? 1 : 0, `${id}: ${code}`);
    assert.deepEqual(tally((await Promise.all(gets)).map(({ status: code }) => code)), { 200: 8 });
    await gateway.route(old);
  });

  it("holds what waits for the router when the gate holds meanwhile", async () => {
    await docker(["kill", gateway.router]);
    const waiting = ask(gateway.url);
    await gateway.held(1);
    const lease = await openHold(gateway.door, hold);
    await docker(["start", gateway.router]);
    await sleep(500);
    assert.equal((await status()).held, 1);
    await gateway.route(next);
    await lease.release();
    assert.equal(told.parse(JSON.parse((await waiting).body)).release, "1.2.1");
  });

  it("comes back with the routes it had", async () => {
    const before = await readRoutes(gateway.router);
    await docker(["restart", "--time", "5", gateway.router]);
    assert.equal((await ask(gateway.url)).status, 200);
    assert.equal(await readRoutes(gateway.router), before);
  });
});
