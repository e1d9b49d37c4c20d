/**
 * The client in its own process: N connections, each sending its next request a think time after the last answer.
 * Started by load.ts; talks to it over the process channel.
 */
import { randomUUID } from "node:crypto";
import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoadOptions, ToLoad, ToWorker } from "./load.ts";
import type { RequestRecord } from "./load-report.ts";

const records: RequestRecord[] = [];
let running = true;

process.on("message", (message: ToWorker) => {
  if (message.kind === "start") void run(message.options);
  else if (message.kind === "snapshot") send({ kind: "records", id: message.id, records });
  else running = false;
});
// Whoever started the load is gone: it must not go on by itself.
process.on("disconnect", () => process.exit(0));
send({ kind: "ready" });

async function run(options: LoadOptions): Promise<void> {
  const connections = Array.from({ length: options.connections }, (_, n) => connection(options, n));
  await Promise.all(connections);
  send({ kind: "done", records });
}

/** One keep-alive connection; the think times are spread so that the connections do not march in step. */
async function connection(options: LoadOptions, number: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await sleep((options.thinkTime * number) / options.connections);
  try {
    for (let turn = 0; running; turn++) {
      const write = Math.random() < options.writeShare ? pick(options.writes, turn) : undefined;
      const read = pick(options.reads, turn + number);
      if (write !== undefined) {
        const id = `${options.idPrefix}-${randomUUID()}`;
        const body = write.body.replaceAll("{{id}}", id);
        records.push(await ask(options, agent, "POST", write.path, { body, over: write.over ?? 0, id }));
      } else if (read !== undefined) records.push(await ask(options, agent, "GET", read));
      await sleep(options.thinkTime * (0.5 + Math.random()));
    }
  } finally {
    agent.destroy();
  }
}

function pick<T>(values: readonly T[], turn: number): T | undefined {
  return values[turn % values.length];
}

/** One request, sent once. Resolves with what happened; a failure is a record as well. */
function ask(
  options: LoadOptions,
  agent: Agent,
  method: "GET" | "POST",
  path: string,
  write?: { readonly body: string; readonly over: number; readonly id: string },
): Promise<RequestRecord> {
  const startedAt = now();
  return new Promise((resolve) => {
    let answer: IncomingMessage | undefined;
    let settled = false;
    const settle = (outcome: { status: number } | { error: string }) => {
      if (settled) return;
      settled = true;
      const release = answer?.headers["x-release"];
      resolve({
        startedAt,
        duration: now() - startedAt,
        method,
        path,
        ...outcome,
        ...(typeof release === "string" && { release }),
        ...(write !== undefined && { id: write.id }),
      });
    };
    const fail = (error: NodeJS.ErrnoException) => settle({ error: error.code ?? error.message });
    const sent = request(new URL(path, options.url), {
      method,
      agent,
      signal: AbortSignal.timeout(options.timeout),
      headers: {
        ...options.headers,
        ...(write !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(write.body),
        }),
      },
    });
    sent.on("response", (response) => {
      answer = response;
      response.on("error", fail);
      response.on("end", () => settle({ status: response.statusCode ?? 0 }));
      response.resume();
    });
    sent.on("error", (error: NodeJS.ErrnoException) =>
      error.name === "TimeoutError" || error.code === "ABORT_ERR"
        ? settle({ error: "TIMEOUT" })
        : fail(error),
    );
    if (write === undefined) sent.end();
    else void sendSlowly(sent, Buffer.from(write.body), write.over);
  });
}

/** Sends a body in ten pieces over `over` milliseconds; 0: at once. */
async function sendSlowly(sent: ClientRequest, body: Buffer, over: number): Promise<void> {
  const piece = over === 0 ? body.length : Math.ceil(body.length / 10);
  let from = 0;
  for (; from + piece < body.length; from += piece) {
    // Whoever has answered or hung up meanwhile gets no more of it; the request's own events tell.
    if (sent.destroyed) return;
    sent.write(body.subarray(from, from + piece));
    await sleep(over / 10);
  }
  sent.end(body.subarray(from));
}

/** Milliseconds since the epoch, monotonic within the process. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

function send(message: ToLoad): void {
  process.send?.(message);
}
