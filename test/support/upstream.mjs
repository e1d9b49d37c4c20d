// A stand-in for an application, run by Node in a container: says which release it is and what it received.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const release = process.env.RELEASE ?? "none";
const seen = new Map();
let unhealthyUntil = Date.now() + Number(process.env.START_MS ?? 0);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://app");
  if (url.pathname === "/stream") {
    response.writeHead(200, { "content-type": "text/event-stream", "x-release": release });
    const timer = setInterval(() => response.write(`data: ${release}\n\n`), 100);
    response.on("close", () => clearInterval(timer));
    return;
  }
  const hash = createHash("sha256");
  let length = 0;
  let text = "";
  try {
    for await (const chunk of request) {
      hash.update(chunk);
      length += chunk.length;
      if (length < 10_000) text += chunk;
    }
  } catch {
    // The client went away in the middle of its body: there is nobody to answer.
    return;
  }
  if (url.pathname === "/health") {
    response.writeHead(Date.now() < unhealthyUntil ? 503 : 200).end("health");
    return;
  }
  if (url.pathname === "/seen") {
    response.writeHead(200).end(JSON.stringify(Object.fromEntries(seen)));
    return;
  }
  if (url.pathname === "/die") process.exit(1);
  const id = /"clientId":"([^"]+)"/.exec(text)?.[1];
  if (id !== undefined) seen.set(id, (seen.get(id) ?? 0) + 1);
  const wait = Number(url.searchParams.get("ms") ?? 0);
  if (wait > 0) await sleep(wait);
  const status = Number(url.searchParams.get("status") ?? (request.method === "POST" ? 201 : 200));
  const cache = url.searchParams.get("cache");
  if (cache !== null) response.setHeader("cache-control", cache);
  response.writeHead(status, { "content-type": "application/json", "x-release": release });
  const told = {
    release,
    method: request.method,
    url: request.url,
    length,
    sha256: hash.digest("hex"),
    headers: request.headers,
  };
  response.end(JSON.stringify(told));
});
server.on("upgrade", (request, socket) => {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\nx-release: ${release}\r\n\r\n`,
  );
  socket.pipe(socket);
  socket.on("error", () => socket.destroy());
});
server.keepAliveTimeout = 5_000;
server.listen(8080, undefined, 4096);
process.on("SIGTERM", () => process.exit(0));
