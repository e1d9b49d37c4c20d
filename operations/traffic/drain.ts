import { z } from "zod";
import { docker } from "../docker/run.ts";

const count = z.coerce.number().int().nonnegative();

/**
 * Requests in flight at the router, those of services among themselves and of leaving workers included. Websockets and
 * event streams are not in it: they do not end by themselves.
 */
export async function inFlight(router: string): Promise<number> {
  return count.parse(await docker(["exec", router, "routes", "inflight"]));
}

/** Websockets and event streams that are open at the router, those of leaving workers included. */
export async function openStreams(router: string): Promise<number> {
  return count.parse(await docker(["exec", router, "routes", "streams"]));
}

/**
 * Waits until no request is in flight, for at most `deadlineMs`, and returns how many still are. Call it while the gate holds: first the door, so that a request which had just
 * passed the gate is seen, then the router, for what services ask of one another.
 */
export async function drain(
  gateway: { readonly door: string; readonly router: string },
  deadlineMs: number,
  say: (line: string) => void = () => undefined,
): Promise<number> {
  const started = performance.now();
  await waitOut(gateway.door, "gate", deadlineMs);
  const left = await waitOut(
    gateway.router,
    "routes",
    Math.max(0, deadlineMs - (performance.now() - started)),
  );
  const took = Math.round(performance.now() - started);
  say(
    left === 0
      ? `requests in flight finished after ${took} ms`
      : `${left} requests still in flight after ${took} ms`,
  );
  return left;
}

async function waitOut(container: string, script: "gate" | "routes", deadlineMs: number): Promise<number> {
  const wait = Math.round(deadlineMs);
  const left = await docker(["exec", container, script, "drain", String(wait)], { timeoutMs: wait + 30_000 });
  return count.parse(left);
}

/**
 * After a switch: waits until the router's workers of older routes have answered what they had, for at most
 * `deadlineMs`. Returns how many of them still have something to answer (nginx closes it at the end of the drain time).
 */
export async function settle(router: string, deadlineMs: number): Promise<number> {
  const wait = Math.round(deadlineMs);
  return count.parse(
    await docker(["exec", router, "routes", "settle", String(wait)], { timeoutMs: wait + 30_000 }),
  );
}
