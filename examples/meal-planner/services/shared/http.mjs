import { createServer } from "node:http";
import { isTemporary } from "./database.mjs";

const LARGEST_BODY = 64 * 1024;

/** An answer that is not a defect: the status and what to say. */
export class Answer extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * An HTTP server over a table of routes. Every answer is JSON, carries the release in `x-release` and in its body.
 * A handler returns `{ status?, body }`; an `Answer` it throws is passed on, a database that is away becomes 503.
 * @param {{ routes: Record<string, (request: { url: URL, headers: import("node:http").IncomingHttpHeaders,
 *   json: () => Promise<unknown> }) => Promise<{ status?: number, body: object }>>,
 *   release: string, log: ReturnType<import("./log.mjs").createLog> }} options
 */
export function createJsonServer({ routes, release, log }) {
  const server = createServer({ keepAliveTimeout: 75_000, headersTimeout: 80_000 }, (request, response) => {
    void answer(request, response);
  });

  async function answer(request, response) {
    const url = new URL(request.url ?? "/", "http://service");
    try {
      const handler = routes[`${request.method} ${url.pathname}`];
      if (handler === undefined) throw new Answer(404, `no such endpoint: ${request.method} ${url.pathname}`);
      const { status = 200, body } = await handler({
        url,
        headers: request.headers,
        json: () => readJson(request),
      });
      send(response, status, body);
    } catch (error) {
      if (error instanceof Answer) return send(response, error.status, { error: error.message });
      const status = isTemporary(error) ? 503 : 500;
      log.error("request failed", {
        method: request.method,
        path: url.pathname,
        status,
        code: error.code,
        reason: error.message,
      });
      send(response, status, { error: status === 503 ? "the database does not answer" : "internal error" });
    }
  }

  function send(response, status, body) {
    const text = JSON.stringify({ ...body, release });
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      "cache-control": "no-store",
      "x-release": release,
      ...(status === 503 && { "retry-after": "1" }),
      // While the server is closing, a client must not send its next request on this connection.
      ...(!server.listening && { connection: "close" }),
    });
    response.end(text);
  }

  return server;
}

async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Answer(413, `the body is larger than ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Answer(400, "the body is not JSON");
  }
}

/**
 * Ends the process in order on SIGTERM and SIGINT: no new connection, requests in flight are answered, then `close`.
 * What is still open after `graceMs` is cut off, and the exit code says so.
 * @param {{ server: import("node:http").Server, close: () => Promise<void>, graceMs?: number,
 *   log: ReturnType<import("./log.mjs").createLog> }} options
 */
export function stopOnSignal({ server, close, graceMs = 8_000, log }) {
  let stopping = false;
  const stop = (signal) => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { signal });
    setTimeout(() => {
      log.error("requests were still open, cut off", { graceMs });
      process.exit(1);
    }, graceMs).unref();
    server.close(() => {
      close().then(
        () => {
          log.info("stopped");
          process.exit(0);
        },
        (error) => {
          log.error("could not close", { reason: error.message });
          process.exit(1);
        },
      );
    });
    server.closeIdleConnections();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
