import { Agent, request as httpRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";

/** What the stand-in of test/support/upstream.mjs tells of a request. */
export const told = z.object({
  release: z.string(),
  url: z.string(),
  length: z.number(),
  sha256: z.string(),
  headers: z.record(z.string(), z.string()),
});

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly ms: number;
}

/**
 * One request over a connection of its own, or of `agent`. `path` is sent as it is, where a URL would be normalised.
 * Rejects when there is no whole answer.
 */
export async function ask(
  url: string,
  options: {
    method?: string;
    body?: string | Buffer;
    headers?: Record<string, string>;
    path?: string;
    agent?: Agent;
  } = {},
): Promise<Answer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const { method = "GET", headers = {}, agent = new Agent() } = options;
    const sent = httpRequest(
      url,
      { method, headers, agent, ...(options.path === undefined ? {} : { path: options.path }) },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (body += chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            ms: performance.now() - started,
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(options.body);
  });
}

/** Waits until anything is answered at this address, at most 10 s. */
export async function answers(url: string): Promise<void> {
  const until = Date.now() + 10_000;
  for (;;) {
    const answer = await ask(url).catch(() => undefined);
    if (answer !== undefined) return;
    if (Date.now() > until) throw new Error(`${url} does not answer`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The end of an upload: its status, and the release that answered. */
export interface Uploaded {
  readonly status: number;
  readonly release: string | string[] | undefined;
}

/** Sends the first half of a POST's body of `size` bytes; `finish` sends the rest and waits for the answer. */
export function beginUpload(url: string, size = 200_000): { finish: () => Promise<Uploaded> } {
  const half = "x".repeat(size / 2);
  const sent = httpRequest(url, { method: "POST", headers: { "content-length": String(size) } });
  const answered = new Promise<Uploaded>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, release: response.headers["x-release"] });
    });
  });
  sent.write(half);
  return {
    finish: () => {
      sent.end(half);
      return answered;
    },
  };
}

/** How often each status was answered. */
export function tally(codes: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

/** Opens an event stream and waits for its first event. */
export async function openStream(url: string): Promise<{ closed: Promise<void>; end: () => void }> {
  return new Promise((resolve, reject) => {
    httpRequest(url, (response) => {
      response.once("data", () =>
        resolve({
          closed: new Promise((done) => response.once("close", () => done())),
          end: () => response.destroy(),
        }),
      );
      response.on("error", () => undefined);
    })
      .on("error", reject)
      .end();
  });
}

/** Opens a websocket, as far as HTTP is concerned. */
export async function upgrade(url: string): Promise<{
  release: string;
  echo: (text: string) => Promise<string>;
  closed: Promise<void>;
  end: () => void;
}> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { headers: { connection: "Upgrade", upgrade: "websocket" } });
    sent.on("error", reject);
    sent.on("response", (response: { statusCode?: number }) =>
      reject(new Error(`no upgrade: ${response.statusCode}`)),
    );
    sent.on("upgrade", (response, socket) => {
      const closed = new Promise<void>((done) => socket.once("close", () => done()));
      const echo = async (text: string): Promise<string> => {
        const answer = new Promise<string>((done) =>
          socket.once("data", (data: Buffer) => done(data.toString())),
        );
        socket.write(text);
        return answer;
      };
      socket.on("error", () => undefined);
      resolve({ release: String(response.headers["x-release"]), echo, closed, end: () => socket.destroy() });
    });
    sent.end();
  });
}
