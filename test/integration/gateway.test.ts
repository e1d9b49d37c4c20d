import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { docker } from "../../operations/docker/run.ts";
import { openStreams, settle } from "../../operations/traffic/drain.ts";
import { closeGate, openGate } from "../../operations/traffic/gate.ts";
import { probe, waitHealthy } from "../../operations/traffic/probe.ts";
import { routerConfig } from "../../operations/traffic/router-config.ts";
import { applyRoutes, claimRoutes, readRoutes } from "../../operations/traffic/routes.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startGatewayOfTwo } from "../support/gateway.ts";
import type { TestGateway, TestUpstream } from "../support/gateway.ts";
import { ask, beginUpload, openStream, told, upgrade } from "../support/http-client.ts";
import { startLoad } from "../support/load.ts";

describe("the gateway", function () {
  this.timeout(60_000);
  let gateway: TestGateway;
  let old: TestUpstream;
  let next: TestUpstream;

  before(async function () {
    this.timeout(600_000);
    ({ gateway, old, next } = await startGatewayOfTwo());
  });
  after(() => gateway.remove());

  it("starts closed, with a maintenance answer that says when to come back", async () => {
    const answer = await ask(gateway.url);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers["retry-after"], "5");
    assert.match(answer.body, /Back in a moment/);
    assert.equal(await readRoutes(gateway.router), "none");
  });

  describe("open, with routes", () => {
    beforeEach(async () => {
      await gateway.route(old);
      await openGate(gateway.door);
    });

    it("passes requests on as they came and tells the service who asked", async () => {
      const body = randomBytes(3_000_000);
      const answer = await ask(`${gateway.url}/meals?day=1`, {
        method: "POST",
        body,
        headers: { host: "meals.example:8000", "x-forwarded-proto": "https" },
      });
      const { release, length, sha256, headers } = told.parse(JSON.parse(answer.body));
      assert.equal(answer.status, 201);
      assert.deepEqual(
        { release, length, sha256 },
        { release: "1.2.0", length: body.length, sha256: createHash("sha256").update(body).digest("hex") },
      );
      assert.equal(headers["host"], "meals.example:8000");
      assert.equal(headers["x-forwarded-proto"], "https");
      assert.equal(headers["x-forwarded-host"], "meals.example:8000");
      assert.equal(headers["x-forwarded-for"], headers["x-real-ip"]);
      assert.equal(answer.headers["x-rollback-release"], "1.2.0");
    });

    it("leaves paths and queries as the client wrote them", async () => {
      for (const path of ["/a//b/../c%2Fd?x=%20&y=a+b", "/.rollback", "/%7Euser;v=1"]) {
        const answer = await ask(gateway.url, { path });
        assert.equal(told.parse(JSON.parse(answer.body)).url, path);
      }
    });

    it("leaves the service's own errors alone", async () => {
      for (const code of [403, 404, 418, 500, 502, 503]) {
        const answer = await ask(`${gateway.url}/?status=${code}`);
        assert.equal(answer.status, code);
        assert.equal(told.parse(JSON.parse(answer.body)).release, "1.2.0");
      }
    });

    it("loses no request of clients that keep their connections while routes change, and runs none twice", async () => {
      const load = await startLoad({
        url: gateway.url,
        reads: ["/read"],
        writes: [{ path: "/write", body: '{"clientId":"{{id}}"}' }],
      });
      for (let change = 0; change < 10; change += 1) await gateway.route(change % 2 === 0 ? next : old);
      const { report } = await load.stop();
      assert.ok(report.requests > 500, `${report.requests} requests`);
      assert.deepEqual(report.failures, []);
      const seen = await Promise.all([old, next].map(gateway.seenBy));
      const times = report.acknowledged.map((id) => (seen[0]?.[id] ?? 0) + (seen[1]?.[id] ?? 0));
      assert.ok(
        times.every((count) => count === 1),
        "each acknowledged write ran once",
      );
    });

    it("takes nothing to the old routes once the new ones are applied", async () => {
      const load = await startLoad({
        url: gateway.url,
        reads: ["/read"],
        writes: [{ path: "/write", body: "{}" }],
      });
      await sleep(200);
      await gateway.route(next);
      const applied = Date.now();
      const since = async () =>
        (await load.snapshot()).records.filter(({ startedAt }) => startedAt > applied);
      while ((await since()).length < 100) await sleep(100);
      const after = await since();
      await load.stop();
      assert.deepEqual([...new Set(after.map(({ release }) => release))], ["1.2.1"]);
    });

    it("waits for what the old routes still answer, and no longer than asked", async () => {
      await gateway.routePatiently(old);
      const slow = beginUpload(gateway.url);
      await gateway.busy(1);
      await gateway.route(next);
      assert.notEqual(await settle(gateway.router, 100), 0);
      const settled = settle(gateway.router, 50_000);
      assert.equal((await slow.finish()).release, "1.2.0");
      assert.equal(await settled, 0);
    });

    it("gives each release exactly its share, over all workers", async () => {
      await gateway.route({ ...old, weight: 9 }, { ...next, weight: 1 });
      const agent = new Agent({ keepAlive: true, maxSockets: 20 });
      const all = await Promise.all(Array.from({ length: 2_000 }, () => ask(gateway.url, { agent })));
      agent.destroy();
      const canary = all.filter((answer) => answer.headers["x-release"] === "1.2.1").length;
      assert.ok(Math.abs(canary - 200) <= 1, `${canary} of 2000`);
    });

    it("passes over a container that is gone, and says so in the log", async () => {
      const dead = await gateway.upstream("1.2.1");
      await docker(["rm", "-f", "-v", dead.container]);
      await gateway.route(old, dead);
      const all = await Promise.all([1, 2, 3, 4].map(() => ask(gateway.url, { method: "POST", body: "x" })));
      assert.deepEqual(
        all.map((answer) => answer.status),
        [201, 201, 201, 201],
      );
      const attempts = new RegExp(
        `"releases":"1\\.2\\.1, 1\\.2\\.0, ".*"upstream":"${dead.address}:8080, ${old.address}:8080"`,
      );
      const until = Date.now() + 30_000;
      while (!attempts.test(await docker(["logs", gateway.router]))) {
        assert.ok(Date.now() < until, "no line has both attempts");
        await sleep(100);
      }
    });

    it("refuses routes that nginx refuses, and keeps the old ones", async () => {
      const before = await readRoutes(gateway.router);
      const text = `# generation broken\n${routerConfig(gateway.plan(next)).text.replace("upstream to_app", "upstrem to_app")}`;
      await assert.rejects(
        applyRoutes(gateway.router, { generation: "broken", text }, "test"),
        (error) => isRefusal(error, "ROUTES_REFUSED") && /unknown directive/.test(error.details.found),
      );
      assert.equal(await readRoutes(gateway.router), before);
      assert.equal(told.parse(JSON.parse((await ask(gateway.url)).body)).release, "1.2.0");
      assert.equal(await gateway.route(old), "unchanged");
    });

    it("takes routes from the run alone that has claimed it last", async () => {
      await claimRoutes(gateway.router, "later");
      await assert.rejects(gateway.route(next), (error) => isRefusal(error, "RUN_OVERTAKEN"));
      assert.equal(told.parse(JSON.parse((await ask(gateway.url)).body)).release, "1.2.0");
      await claimRoutes(gateway.router, "test");
      assert.equal(await gateway.route(next), "applied");
    });

    it("is not blocked by a run that stops in the middle of its text", async () => {
      const stopped = execa("docker", ["exec", "-i", gateway.router, "routes", "apply", "test"], {
        reject: false,
      });
      await sleep(300);
      assert.equal(await gateway.route(next), "applied");
      stopped.stdin.end("# generation late\n");
      await stopped;
      assert.equal(told.parse(JSON.parse((await ask(gateway.url)).body)).release, "1.2.1");
    });

    it("keeps websockets and event streams through a change of routes, until the drain's bound", async () => {
      const socket = await upgrade(gateway.url);
      const stream = await openStream(`${gateway.url}/stream`);
      await gateway.route(next);
      assert.equal(await socket.echo("still there"), "still there");
      assert.equal(await openStreams(gateway.router), 2, "leaving workers count");
      await Promise.all([socket.closed, stream.closed]);
      assert.equal(await openStreams(gateway.router), 0);
      const again = await upgrade(gateway.url);
      assert.equal(again.release, "1.2.1");
      again.end();
    });

    it("routes services to one another past the gate", async () => {
      await closeGate(gateway.door);
      const answer = await probe(gateway.router, { address: gateway.router, port: 8080, path: "/" });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["x-rollback-release"], "1.2.0");
    });
  });

  describe("probing", () => {
    it("asks from inside the network, with headers and body of any text", async () => {
      const body = '@{"a":"\\"}\n\ttab';
      const answer = await probe(gateway.router, {
        ...old,
        path: "/x?a[]={b}",
        method: "PUT",
        headers: { authorization: 'Bearer "a\\b"' },
        body,
      });
      const { headers, sha256 } = told.parse(JSON.parse(answer.body));
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["x-release"], "1.2.0");
      assert.equal(headers["authorization"], 'Bearer "a\\b"');
      assert.equal(sha256, createHash("sha256").update(body).digest("hex"));
    });

    it("says why there was no answer", async () => {
      const refused = await probe(gateway.router, { ...old, port: 1, path: "/" });
      assert.deepEqual([refused.status, /connect/i.test(refused.error ?? "")], [0, true]);
      const late = await probe(gateway.router, { ...old, path: "/?ms=3000", timeoutMs: 200 });
      assert.deepEqual([late.status, /timed out/i.test(late.error ?? "")], [0, true]);
    });

    it("waits for a slow start, and gives up on one that is never healthy or stopped", async () => {
      const slow = await gateway.upstream("slow", { START_MS: "1500" });
      const target = { ...slow, path: "/health" };
      assert.ok((await waitHealthy(gateway.router, slow.container, target, { deadlineMs: 10_000 })) >= 1_000);
      const missing = { ...slow, path: "/?status=500" };
      await assert.rejects(
        waitHealthy(gateway.router, slow.container, missing, { deadlineMs: 700 }),
        (error) => isRefusal(error, "TARGET_UNHEALTHY") && /status 500/.test(error.message),
      );
      const gone = waitHealthy(gateway.router, slow.container, missing, {
        deadlineMs: 60_000,
        stillThere: () => Promise.resolve(false),
      });
      await assert.rejects(
        gone,
        (error) => isRefusal(error, "TARGET_UNHEALTHY") && /stopped/.test(error.message),
      );
    });
  });
});
