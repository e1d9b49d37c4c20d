import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startLoad, verifyRows } from "../../support/load.ts";

let server: Server;

/** Starts `listener` on a free port and returns its base URL. */
async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("startLoad", () => {
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it("keeps each connection alive, and every write it calls acknowledged has arrived once", async () => {
    const sockets = new Set<unknown>();
    const written: string[] = [];
    const url = await serve((request, response) => {
      sockets.add(request.socket);
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        if (request.method === "POST") written.push((JSON.parse(body) as { clientId: string }).clientId);
        response.writeHead(request.method === "POST" ? 201 : 200, { "x-release": "1.2.0" }).end("{}");
      });
    });
    const load = await startLoad({ url, connections: 4, thinkTime: 5, writeShare: 0.5 });
    await sleep(500);
    const at = load.mark("half-way");
    const early = await load.snapshot();
    await sleep(200);
    const { report, records } = await load.stop();

    assert.equal(report.failed, 0);
    assert.equal(sockets.size, 4);
    assert.ok(report.requests > early.report.requests && early.report.requests > 40, `${report.requests}`);
    assert.deepEqual(report.marks, [{ name: "half-way", at }]);
    assert.ok(records.some((r) => r.startedAt < at) && records.some((r) => r.startedAt > at));
    assert.deepEqual([...report.acknowledged].sort(), [...written].sort());
    assert.equal(report.byRelease[0]?.release, "1.2.0");
    const share = written.length / report.requests;
    assert.ok(share > 0.3 && share < 0.7, `share of writes: ${share}`);
  });

  it("counts a reset keep-alive connection as failed and does not send the request again", async () => {
    let arrived = 0;
    const url = await serve((request, response) => {
      arrived++;
      if (arrived % 5 === 0) request.socket.resetAndDestroy();
      else response.end("{}");
    });
    const load = await startLoad({ url, connections: 2, thinkTime: 2, writeShare: 0 });
    await sleep(300);
    const { report } = await load.stop();

    assert.equal(report.requests, arrived);
    assert.equal(report.failed, Math.floor(arrived / 5));
    assert.deepEqual(
      report.failures.map((f) => f.why),
      ["ECONNRESET"],
    );
  });

  it("waits for answers under way when it is stopped", async () => {
    const url = await serve((_request, response) => {
      setTimeout(() => response.end("{}"), 300);
    });
    const load = await startLoad({ url, connections: 1, thinkTime: 0, writeShare: 0 });
    await sleep(100);
    const { report } = await load.stop();
    assert.deepEqual([report.requests, report.failed, report.held], [1, 0, 1]);
  });

  it("gives up on a request after its timeout", async () => {
    const url = await serve(() => undefined);
    const load = await startLoad({ url, connections: 1, thinkTime: 0, writeShare: 0, timeout: 100 });
    await sleep(150);
    const { report } = await load.stop();
    assert.equal(report.failures[0]?.why, "TIMEOUT");
  });

  it("returns the same result when it is stopped again", async () => {
    const url = await serve((_request, response) => response.end("{}"));
    const load = await startLoad({ url, connections: 1, thinkTime: 1 });
    assert.deepEqual(await load.stop(), await load.stop());
  });
});

describe("verifyRows", () => {
  it("names what is lost and what is there twice", async () => {
    const check = await verifyRows(["a", "b", "c"], () => Promise.resolve(["a", "c", "c"]));
    assert.deepEqual(check, { acknowledged: 3, lost: ["b"], duplicated: ["c"] });
  });

  it("asks in portions and puts them together", async () => {
    const ids = Array.from({ length: 12_001 }, (_, i) => `${i}`);
    const sizes: number[] = [];
    const check = await verifyRows(ids, (some) => {
      sizes.push(some.length);
      return Promise.resolve(some);
    });
    assert.deepEqual(sizes, [5000, 5000, 2001]);
    assert.deepEqual([check.lost.length, check.duplicated.length], [0, 0]);
  });
});
