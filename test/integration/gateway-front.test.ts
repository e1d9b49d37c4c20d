import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { docker } from "../../operations/docker/run.ts";
import { doorConfig, doorConfigPath } from "../../operations/traffic/door.ts";
import { frontConfig, type Front } from "../../operations/traffic/front-config.ts";
import { installFront, leaveFront, observeFront } from "../../operations/traffic/front.ts";
import { openGate } from "../../operations/traffic/gate.ts";
import { openHold } from "../../operations/traffic/lease.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startNginx, type ExistingNginx } from "../support/existing-nginx.ts";
import { freePorts } from "../support/free-ports.ts";
import { startGatewayOfTwo, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { ask, told } from "../support/http-client.ts";

describe("the gateway behind an nginx of the user's", function () {
  this.timeout(90_000);
  let gateway: TestGateway;
  let old: TestUpstream;
  let next: TestUpstream;
  let nginx: ExistingNginx;
  let front: Front;
  let url = "";

  before(async function () {
    this.timeout(600_000);
    ({ gateway, old, next } = await startGatewayOfTwo());
    const [port = 0] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    const folder = await mkdtemp(path.join(tmpdir(), "rollback-nginx-"));
    const container = { name: `${gateway.prefix}-edge`, network: gateway.prefix };
    nginx = await startNginx(folder, container.name, { network: container.network, publish: port });
    const { reload } = nginx;
    const services = gateway
      .plan()
      .services.map((each) => ({ ...each, public: { port, address: "127.0.0.1" } }));
    front = frontConfig({
      existing: { folder: nginx.folder, reload, test: [...reload.slice(0, -2), "-t"], container },
      label: "rbt/front",
      prefix: gateway.prefix,
      door: { name: gateway.door, address: "192.0.2.1" },
      plan: { services },
    });
    const door = path.join(folder, "door.conf");
    await writeFile(door, doorConfig({ services, behind: true }), { mode: 0o644 });
    await docker(["cp", door, `${gateway.door}:${doorConfigPath}`]);
    await docker(["restart", "--time", "1", gateway.door]);
    await installFront(front);
  });
  after(async () => {
    await nginx.remove();
    await gateway.remove();
  });
  beforeEach(async () => {
    await gateway.route(old);
    await openGate(gateway.door);
  });

  it("passes requests on as they came, and tells the service who asked", async () => {
    const { status, body } = await ask(`${url}/meals?day=1`, {
      method: "POST",
      body: "x",
      headers: { host: "meals.example", "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https" },
    });
    const { headers } = told.parse(JSON.parse(body));
    assert.equal(status, 201);
    assert.deepEqual([headers["host"], headers["x-forwarded-proto"]], ["meals.example", "https"]);
    const [client, seen] = (headers["x-forwarded-for"] ?? "").split(", ");
    assert.equal(client, "203.0.113.7");
    assert.equal(headers["x-real-ip"], seen, "whom that nginx saw, not that nginx");
  });

  it("holds requests and lets them go to the release that then serves", async () => {
    const lease = await openHold(gateway.door, { hold: 60_000, held: 100 });
    const waiting = [ask(`${url}/`), ask(`${url}/`, { method: "POST", body: "x" })];
    await gateway.held(2);
    await gateway.route(next);
    await lease.release();
    for (const { body } of await Promise.all(waiting))
      assert.equal(told.parse(JSON.parse(body)).release, "1.2.1");
  });

  it("lets go by itself when whoever holds is gone", async () => {
    const lease = await openHold(gateway.door, { hold: 60_000, held: 100, leaseMs: 2_000 });
    await lease.letGo();
    const started = performance.now();
    assert.equal((await ask(`${url}/`)).status, 200);
    const waited = performance.now() - started;
    assert.ok(waited > 500 && waited < 10_000, `waited ${Math.round(waited)} ms`);
  });

  it("answers 503 with Retry-After while the door is away, and goes on once it is back, without a reload", async () => {
    const workers = await nginx.workers();
    await docker(["stop", "--time", "1", gateway.door]);
    const { status, headers } = await ask(`${url}/`);
    assert.deepEqual([status, headers["retry-after"]], [503, "5"]);
    await docker(["start", gateway.door]);
    for (const until = Date.now() + 20_000; (await ask(`${url}/`)).status !== 200;)
      assert.ok(Date.now() < until, "the door is found again");
    assert.deepEqual(await nginx.workers(), workers);
  });

  it("is left alone by a second installation, and comes back with its file after a restart of that nginx", async () => {
    const workers = await nginx.workers();
    assert.equal(await installFront(front), "unchanged");
    assert.deepEqual(await nginx.workers(), workers);
    await docker(["restart", "--time", "1", nginx.container]);
    for (const until = Date.now() + 20_000; (await observeFront(front)).answers !== front.generation;)
      assert.ok(Date.now() < until, "it answers again");
  });

  it("puts a refused configuration back as it was, and what is in force is not touched", async () => {
    const bad = { ...front, text: front.text.replace("merge_slashes off;", "merge_slashes offf;") };
    await assert.rejects(installFront(bad), (error) => {
      return isRefusal(error, "FRONT_REFUSED") && /invalid value "offf"/.test(error.message);
    });
    assert.deepEqual(await observeFront(front), { file: front.text, answers: front.generation });
    assert.equal((await ask(`${url}/`)).status, 200);
  });

  it("notices a reload that does nothing, also where it fails, and puts the file back", async () => {
    for (const reload of [["true"], ["sh", "-c", "echo no right to >&2; exit 1"]]) {
      const other = { ...front, reload, generation: "0123456789abcdef" };
      const changed = { ...other, text: front.text.replaceAll(front.generation, other.generation) };
      await assert.rejects(installFront(changed), (error) => {
        const why = reload.length === 1 ? /does not answer by the new configuration/ : /no right to/;
        return isRefusal(error, "FRONT_NOT_RELOADED") && why.test(error.message);
      });
      assert.deepEqual(await observeFront(front), { file: front.text, answers: front.generation });
    }
  });

  it("is left: its file goes and it no longer listens; what ignores that is told, and has its file back", async () => {
    await assert.rejects(leaveFront({ ...front, reload: ["true"] }), (error) => {
      return isRefusal(error, "FRONT_NOT_RELOADED") && /still answers/.test(error.message);
    });
    assert.equal((await observeFront(front)).file, front.text);
    assert.equal(await leaveFront(front), "left");
    await assert.rejects(ask(`${url}/`));
    assert.equal(await leaveFront(front), "unchanged");
    assert.deepEqual(Object.keys(await nginx.files()), ["own-site.conf"]);
    await rm(path.join(nginx.folder, "own-site.conf"));
  });
});
