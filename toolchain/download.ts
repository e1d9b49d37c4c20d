import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { longStep } from "./log.ts";

/** Milliseconds a server has to answer before it counts as out of reach. */
const PATIENCE = 4000;

/** Servers that were out of reach; asking them again would only cost the same patience again. */
const outOfReach = new Set<string>();

/** The first of these addresses that answers within four seconds that it has the file; undefined when none does. */
export async function downloadable(
  urls: readonly string[],
  request: typeof fetch = fetch,
  silent: Set<string> = outOfReach,
): Promise<string | undefined> {
  for (const url of urls) {
    const server = new URL(url).origin;
    if (silent.has(server)) continue;
    try {
      const { ok } = await request(url, { method: "HEAD", signal: AbortSignal.timeout(PATIENCE) });
      if (ok) return url;
    } catch {
      // Out of reach (no name, no route, no answer in time): that is the answer to the question asked here.
      silent.add(server);
    }
  }
  return undefined;
}

/** Downloads a file, showing how far it has come. */
export async function fetchFile(subject: string, title: string, url: string, target: string): Promise<void> {
  await longStep(subject, `${title} from ${url}`, async (note) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(20 * 60_000) });
    if (!response.ok || response.body === null) throw new Error(`${url} answered ${String(response.status)}`);
    let received = 0;
    const body = Readable.fromWeb(response.body).on("data", (chunk: Buffer) => {
      received += chunk.length;
      note(`${(received / 1024 ** 2).toFixed(0)} MB`);
    });
    await pipeline(body, createWriteStream(target));
  });
}
