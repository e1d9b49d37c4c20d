import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { docker } from "../docker/run.ts";
import type { Safety } from "../../settings/types.ts";
import type { Check } from "./report.ts";

/** One attempt of the router to get an answer from a container. */
export interface Attempt {
  readonly release: string;
  /** 0: there was no answer. */
  readonly status: number;
  readonly seconds: number;
}

const line = z.object({
  release: z.string(),
  /** Of each attempt, in order; missing in lines of a router that was started before it was logged. */
  releases: z.string().optional(),
  upstreamStatus: z.string(),
  upstreamSeconds: z.string(),
  /** `1`: a websocket or an event stream. */
  stream: z.string().optional(),
});

/**
 * The attempts of the router's log, each by itself: a retry that succeeded must not hide the attempt that failed. Lines
 * that are no log entry of ours are passed over, and so are streams, whose time says how long somebody listened. Only the
 * last attempt's release is logged, and retries stay within it.
 */
export function attemptsOf(log: string): Attempt[] {
  return log.split("\n").flatMap((text) => {
    const entry = text.startsWith("{") ? line.safeParse(parse(text)) : undefined;
    if (entry?.success !== true || entry.data.release === "" || entry.data.stream === "1") return [];
    const { release, upstreamStatus, upstreamSeconds } = entry.data;
    const releases = entry.data.releases?.split(", ") ?? [];
    const seconds = upstreamSeconds.split(", ");
    return upstreamStatus.split(", ").map((status, n) => ({
      release: releases[n] === undefined || releases[n] === "" ? release : releases[n],
      status: Number(status) || 0,
      seconds: Number(seconds[n]) || 0,
    }));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** How each release answered, held against the thresholds: share of 5xx or no answer, and the time that 95 % stayed below. */
export function judgeAttempts(
  attempts: readonly Attempt[],
  releases: readonly string[],
  limits: Pick<Safety, "errorRate" | "responseTime">,
): Check[] {
  return releases.map((release) => {
    const own = attempts.filter((attempt) => attempt.release === release);
    if (own.length === 0) return { what: `bake ${release}`, found: "no requests to judge by", wrong: [] };
    const errors = own.filter(({ status }) => status === 0 || status >= 500).length;
    const rate = (100 * errors) / own.length;
    const times = own.map(({ seconds }) => seconds * 1000).sort((a, b) => a - b);
    const slow = times[Math.ceil(times.length * 0.95) - 1] ?? 0;
    return {
      what: `bake ${release}`,
      found: `${own.length} requests, ${rate.toFixed(1)} % errors, 95 % within ${Math.round(slow)} ms`,
      wrong: [
        ...(rate > limits.errorRate ? [`more than ${limits.errorRate} % errors`] : []),
        ...(slow > limits.responseTime ? [`slower than ${limits.responseTime} ms`] : []),
      ],
    };
  });
}

/** Requests after which a release may be judged bad before the time is over. */
const enough = 50;

export interface BakeRequest {
  readonly router: string;
  readonly releases: readonly string[];
  readonly safety: Safety;
  readonly status: (line: string) => void;
}

/** Watches the router's own measurements for the bake time, or until a release is bad beyond doubt. */
export async function bake({ router, releases, safety, status }: BakeRequest): Promise<Check[]> {
  const started = performance.now();
  const end = started + safety.bake;
  for (;;) {
    await sleep(Math.max(0, Math.min(1_000, end - performance.now())));
    // Reckoned back from now: a clock that was set meanwhile would make "since then" another time.
    const since = new Date(Date.now() - (performance.now() - started));
    const attempts = attemptsOf(
      await docker(["logs", "--since", since.toISOString(), router], { timeoutMs: 60_000 }),
    );
    const checks = judgeAttempts(attempts, releases, safety);
    const doubtless = checks.some(({ wrong }) => wrong.length > 0) && attempts.length >= enough;
    if (performance.now() >= end || doubtless) return checks;
    status(
      `baking, ${Math.ceil((end - performance.now()) / 1000)} s left: ${checks.map(({ what, found }) => `${what}: ${found}`).join("; ")}`,
    );
  }
}
