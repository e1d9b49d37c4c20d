import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../operations/docker/run.ts";
import { drain, inFlight, openStreams } from "../../operations/traffic/drain.ts";
import { changeGate, gateStatus, openGate } from "../../operations/traffic/gate.ts";
import { openHold } from "../../operations/traffic/lease.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startGatewayOfTwo } from "../support/gateway.ts";
import type { TestGateway, TestUpstream } from "../support/gateway.ts";
import { answers, ask, beginUpload, openStream, tally, told, upgrade } from "../support/http-client.ts";

/** Milliseconds that each of these requests was held, by the router's log, once all of them are in it. */
async function heldOf(gateway: TestGateway, path: string, requests: number): Promise<number[]> {
  const line = new RegExp(`"path":"${path}",.*"held":"(\\d+)"`, "g");
  const until = Date.now() + 30_000;
  while (Date.now() < until) {
    const log = await docker(["logs", gateway.router]);
    const found = [...log.matchAll(line)].map(([, ms]) => Number(ms));
    if (found.length === requests) return found;
    await sleep(100);
  }
  throw new Error(`the log does not have ${requests} requests of ${path}`);
}

describe("the gate of the door", function () {
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

  it("lets held requests meet the routes of their release, with their bodies", async () => {
    const lease = await openHold(gateway.door, hold);
    const body = randomBytes(300_000);
    const waiting = [ask(`${gateway.url}/waited`), ask(`${gateway.url}/waited`, { method: "POST", body })];
    await gateway.held(2);
    assert.equal(await drain(gateway, 5_000), 0);
    await gateway.route(next);
    const { expired } = await lease.release();
    const [get, post] = (await Promise.all(waiting)).map((answer) => told.parse(JSON.parse(answer.body)));
    assert.equal(expired, false);
    assert.equal(get?.release, "1.2.1");
    assert.equal(get.headers["x-rollback-held"], undefined);
    assert.deepEqual(
      [post?.release, post?.sha256],
      ["1.2.1", createHash("sha256").update(body).digest("hex")],
    );
    assert.equal((await status()).held, 0);
    assert.ok((await heldOf(gateway, "/waited", 2)).every((ms) => ms >= 100));
  });

  it("calls only held what has waited, however slow a busy machine is", async () => {
    const burn = 'for n in 1 2 3 4 5 6; do timeout 3 sh -c "while :; do :; done" & done; wait; true';
    const busy = docker(["exec", gateway.door, "sh", "-c", burn]);
    for (let round = 0; round < 20; round++)
      await Promise.all(Array.from({ length: 100 }, () => ask(`${gateway.url}/passed`)));
    await busy;
    assert.deepEqual(tally(await heldOf(gateway, "/passed", 2_000)), { 0: 2_000 });
  });

  it("waits for the requests in flight, those of leaving workers too, and no longer than asked", async () => {
    await gateway.routePatiently(old);
    const slow = beginUpload(gateway.url);
    await gateway.busy(1);
    await gateway.routePatiently(next);
    const lease = await openHold(gateway.door, hold);
    assert.equal((await status()).inFlight, 1);
    assert.equal(await drain(gateway, 200), 1);
    const said: string[] = [];
    const drained = drain(gateway, 50_000, (line) => said.push(line));
    assert.deepEqual(await slow.finish(), { status: 201, release: "1.2.0" });
    assert.equal(await drained, 0);
    assert.match(said[0] ?? "", /^requests in flight finished after \d+ ms$/);
    await lease.release();
  });

  it("counts an upload that is still arriving as in flight, and lets it finish", async () => {
    const upload = beginUpload(gateway.url);
    await gateway.busy(1);
    const lease = await openHold(gateway.door, hold);
    assert.equal(await drain(gateway, 300), 1);
    assert.equal(await inFlight(gateway.router), 1);
    assert.equal((await upload.finish()).status, 201);
    assert.equal(await drain(gateway, 5_000), 0);
    await lease.release();
  });

  it("counts nothing of its own while it counts", async () => {
    for (let reading = 0; reading < 25; reading++) assert.equal(await inFlight(gateway.router), 0);
  });

  it("does not wait for websockets and event streams, which do not end by themselves", async () => {
    const socket = await upgrade(gateway.url);
    const stream = await openStream(`${gateway.url}/stream`);
    assert.equal((await status()).inFlight, 0);
    const upload = beginUpload(gateway.url);
    await gateway.busy(1);
    const lease = await openHold(gateway.door, hold);
    assert.equal((await status()).inFlight, 1);
    assert.equal(await drain(gateway, 200), 1);
    assert.equal((await upload.finish()).status, 201);
    assert.equal(await drain(gateway, 20_000), 0);
    assert.equal(await socket.echo("still there"), "still there");
    await lease.release();
    socket.end();
    stream.end();
    await Promise.all([socket.closed, stream.closed]);
  });

  it("takes no stream of a worker that was killed for a request in flight", async () => {
    const before = await openStreams(gateway.router);
    const stream = await openStream(`${gateway.url}/stream`);
    assert.equal(await openStreams(gateway.router), before + 1);
    const killWorkers =
      'for each in /proc/[0-9]*; do grep -q "nginx: [w]orker" $each/cmdline && kill -9 ${each#/proc/}; done; true';
    await docker(["exec", gateway.router, "sh", "-c", killWorkers]);
    await stream.closed;
    await answers(gateway.url);
    assert.equal(await inFlight(gateway.router), 0);
    const upload = beginUpload(gateway.url);
    await gateway.busy(1);
    assert.equal((await status()).inFlight, 1);
    assert.equal(await inFlight(gateway.router), 1);
    assert.equal((await upload.finish()).status, 201);
  });

  it("keeps the gate as it is when the change cannot be stored", async () => {
    await docker(["exec", gateway.door, "mkdir", "/var/lib/gate/state.json.new"]);
    await assert.rejects(openHold(gateway.door, hold), (error) => isRefusal(error, "GATE_FAILED"));
    assert.equal((await status()).mode, "open");
    await docker(["exec", gateway.door, "rmdir", "/var/lib/gate/state.json.new"]);
    assert.equal((await ask(gateway.url)).status, 200);
  });

  it("turns away what comes above the number and what waits beyond the time", async () => {
    const lease = await openHold(gateway.door, { hold: 1_500, held: 5, leaseMs: 5_000 });
    const all = await Promise.all(
      Array.from({ length: 8 }, () => ask(gateway.url, { method: "POST", body: "x" })),
    );
    assert.deepEqual(
      all.map(({ status: code }) => code),
      Array(8).fill(503),
    );
    assert.ok(all.every((answer) => answer.headers["retry-after"] !== undefined));
    const waited = all.map(({ ms }) => ms).toSorted((a, b) => a - b);
    assert.ok((waited[2] ?? 0) < 500, "three at once");
    assert.ok((waited[3] ?? 0) >= 1_400 && (waited[7] ?? 0) < 3_000, "five after the bound");
    assert.equal((await status()).held, 0);
    await lease.release();
  });

  it("releases 3000 at once without losing one, in the order of a small pool", async () => {
    const lease = await openHold(gateway.door, hold);
    const waiting = Array.from({ length: 3_000 }, () => ask(gateway.url));
    await gateway.held(3_000);
    const released = performance.now();
    await lease.release();
    const all = await Promise.all(waiting);
    assert.ok(performance.now() - released > 1_000, "2000 a second");
    assert.deepEqual(tally(all.map(({ status: code }) => code)), { 200: 3_000 });
  });

  it("renews the lease while the program runs", async () => {
    const lease = await openHold(gateway.door, { ...hold, leaseMs: 3_000 });
    await sleep(4_000);
    assert.equal((await status()).mode, "hold");
    assert.ok(lease.remaining() > 0);
    lease.assertHeld();
    assert.equal((await lease.release()).status.mode, "open");
  });

  it("opens by itself when the engine is gone, before the fence", async () => {
    let engine = true;
    const lease = await openHold(gateway.door, { ...hold, leaseMs: 3_000, alive: () => engine });
    const waiting = ask(gateway.url);
    engine = false;
    assert.equal((await waiting).status, 200);
    assert.equal((await status()).mode, "open");
    assert.throws(
      () => lease.assertHeld(),
      (error) => isRefusal(error, "LEASE_LOST"),
    );
    await assert.rejects(lease.expireInto("closed"), (error) => isRefusal(error, "LEASE_LOST"));
    assert.equal((await lease.release()).expired, true);
  });

  it("closes by itself after the fence, and stays closed until it is opened", async () => {
    const lease = await openHold(gateway.door, { ...hold, leaseMs: 3_000 });
    await lease.expireInto("closed");
    await lease.letGo();
    const answer = await ask(gateway.url, { method: "POST", body: "x" });
    assert.equal(answer.status, 503);
    await sleep(600);
    assert.equal((await status()).mode, "closed");
    await docker(["kill", gateway.door]);
    await docker(["start", gateway.door]);
    await answers(gateway.url);
    assert.equal((await status()).mode, "closed");
    assert.equal((await openGate(gateway.door)).mode, "open");
  });

  it("takes nothing from a run that another one followed", async () => {
    const dead = await openHold(gateway.door, hold);
    const lease = await openHold(gateway.door, hold);
    await assert.rejects(dead.expireInto("closed"), (error) => isRefusal(error, "LEASE_LOST"));
    await assert.rejects(dead.release(), (error) => isRefusal(error, "LEASE_LOST"));
    await dead.abort();
    const { owner } = await status();
    assert.equal((await status()).mode, "hold");
    await lease.release();
    await assert.rejects(changeGate(gateway.door, { do: "renew", owner }), (error) =>
      isRefusal(error, "LEASE_LOST"),
    );
    assert.equal((await status()).mode, "open");
  });

  it("comes back holding after a kill of the door, and ends the lease as agreed", async () => {
    const lease = await openHold(gateway.door, { ...hold, leaseMs: 4_000 });
    await lease.expireInto("closed");
    await lease.letGo();
    await docker(["kill", gateway.door]);
    await docker(["start", gateway.door]);
    await sleep(300);
    const { mode, then } = await status();
    assert.deepEqual({ mode, then }, { mode: "hold", then: "closed" });
    assert.equal((await ask(gateway.url)).status, 503);
    assert.equal((await status()).mode, "closed");
  });

  it("is released as if nothing was after a kill of the door", async () => {
    const lease = await openHold(gateway.door, { ...hold, leaseMs: 10_000 });
    await docker(["kill", gateway.door]);
    await docker(["start", gateway.door]);
    const waiting = sleep(300).then(() => ask(gateway.url));
    await sleep(600);
    assert.equal((await lease.release()).expired, false);
    assert.equal((await waiting).status, 200);
  });
});
