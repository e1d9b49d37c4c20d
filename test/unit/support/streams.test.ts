import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { openStreams, streamReport, type StreamRecord } from "../../support/streams.ts";

const open = (more: Partial<StreamRecord> = {}): StreamRecord => ({
  ...{ kind: "events", client: 0, askedAt: 0, firstAt: 10, lastAt: 90, release: "old" },
  ...more,
});
const over = (more: Partial<StreamRecord> = {}): StreamRecord => open({ closedAt: 100, ...more });

describe("what clients of streams saw", () => {
  it("counts those that were closed, and the longest time that one client heard nothing", () => {
    const next = open({ askedAt: 150, firstAt: 190, release: "new" });
    const other = over({ client: 1, askedAt: 101, firstAt: 105, release: "new", closedAt: 300 });
    const { closed, failed, longestSilence, allOn } = streamReport([over(), next, other], "new", 50);
    assert.deepEqual([closed, failed, longestSilence, allOn], [2, 0, 100, 50]);
  });

  it("knows when some are left with the other release", () => {
    assert.equal(streamReport([open()], "new", 50).allOn, undefined);
  });
});

describe("openStreams", () => {
  let server: Server;
  /** The first of event streams that end as `end` says. */
  async function seen(end: RequestListener): Promise<StreamRecord | undefined> {
    server = createServer((request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "x-release": "1.2.0" });
      response.write("data: 1.2.0\n\n", () => setTimeout(() => end(request, response), 20));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const streams = await openStreams(url, 1, ["events"]);
    while (!streams.records().some(({ closedAt }) => closedAt !== undefined))
      await new Promise((done) => setTimeout(done, 10));
    return (await streams.stop())[0];
  }
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it("takes an end without the last chunk, as nginx gives it, for an end in order", async () => {
    const first = await seen((request) => request.socket.end());
    assert.deepEqual([first?.release, first?.failure], ["1.2.0", undefined]);
  });

  it("takes a reset, and an end inside an event, for failures", async () => {
    assert.equal((await seen((request) => request.socket.resetAndDestroy()))?.failure, "reset");
    server.close();
    const cut = await seen((request, response) => response.write("data: 1.", () => request.socket.end()));
    assert.equal(cut?.failure, "closed inside an event");
  });
});
