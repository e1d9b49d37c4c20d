import { setTimeout as sleep } from "node:timers/promises";
import { reportOf, switchTo, type RequestRecord } from "../../test/support/load-report.ts";
import { findClientRefs, startLoad, uploadLoad, verifyRows, type Load } from "../../test/support/load.ts";
import { openStreams, streamReport, type StreamRecord, type Streams } from "../../test/support/streams.ts";
import type { Report } from "../report.ts";
import { isCalm } from "../rollback/measure.ts";

/** When things happened, milliseconds since the epoch. */
export interface Moments {
  /** When what switches began. */
  readonly began: number;
  /** Milliseconds that requests were held, and those of them that another release answered than the one that came. */
  readonly held?: { readonly ms: number; readonly astray: () => Promise<number> };
}

/** A switch that is tried. */
export interface Trial {
  /** Case of the report. */
  readonly name: string;
  /** The planner, and the feed with its streams. */
  readonly url: string;
  readonly feedUrl: string;
  /** The release that is to have this share of the requests in the end, in percent. */
  readonly release: string;
  readonly share: number;
  readonly act: () => Promise<Moments>;
  /** Rows of a query on the Meal Planner's database. */
  readonly query: (sql: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>;
}

/** What clients saw. Times are milliseconds from when what switches began. */
export interface Seen {
  readonly requests: number;
  readonly failed: number;
  readonly failures: readonly { readonly why: string; readonly count: number }[];
  readonly p99: number;
  readonly slowest: number;
  /** Undefined: it never came to that. */
  readonly all: number | undefined;
}

/** Milliseconds: load before it begins, and how long at least it goes on after it. */
const warm = 2_000;
const after = 2_000;
/** Milliseconds after which a release that has not taken over is not waited for any more. */
const patience = 30_000;
const streamsOfEachKind = 4;

/** Tries a switch under all kinds of load and reports what clients saw of it. */
export async function tryUnderAll(report: Report, trial: Trial): Promise<void> {
  report.say(`${trial.name} …`);
  const loads: Load[] = [];
  let streams: Streams | undefined;
  try {
    loads.push(await startLoad({ url: trial.url, idPrefix: "main" }));
    loads.push(await startLoad({ url: trial.url, ...uploadLoad, idPrefix: "upload" }));
    streams = await openStreams(trial.feedUrl, streamsOfEachKind);
    await sleep(warm);
    const moments = await trial.act();
    const acted = performance.timeOrigin + performance.now();
    await settled(trial, loads, streams);
    const records = (await Promise.all(loads.map((load) => load.stop()))).flatMap((load) => load.records);
    const rows = await verifyRows(reportOf(records).acknowledged, async (ids) =>
      (await trial.query(findClientRefs, [ids])).map(({ client_ref: id }) => String(id)),
    );
    tell(report, trial, seenOf(records, trial.release, moments), {
      lost: rows.lost.length,
      streams: await streams.stop(),
      moments,
      astray: (await moments.held?.astray()) ?? 0,
      share: shareOf(records, trial.release, acted),
    });
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
    await streams?.stop();
  }
}

/** What clients of requests saw of a switch, requests under way at its start included. Pure. */
export function seenOf(records: readonly RequestRecord[], release: string, { began, held }: Moments): Seen {
  // What was held before the traffic effect began, for a schema, belongs to the switch as well.
  const from = began - (held?.ms ?? 0);
  const concerned = records.filter(({ startedAt, duration }) => startedAt + duration >= from);
  const { requests, failed, failures, p99, slowest } = reportOf(concerned);
  return { requests, failed, failures, p99, slowest, all: switchTo(records, release, began).all };
}

/** Share of the answers to requests sent after an instant that this release gave, in percent. Pure. */
export function shareOf(records: readonly RequestRecord[], release: string, since: number): number {
  const later = records.filter(({ startedAt, status }) => startedAt > since && status !== undefined);
  if (later.length === 0) return 0;
  return (100 * later.filter((record) => record.release === release).length) / later.length;
}

/** Waits until the release has taken over requests and streams; of a canary, for a while. */
async function settled({ release, share }: Trial, loads: readonly Load[], streams: Streams): Promise<void> {
  await sleep(after);
  if (share < 100) return;
  const until = Date.now() + patience;
  for (;;) {
    const calm = await Promise.all(
      loads.map(async (load) => isCalm((await load.snapshot()).records, release)),
    );
    const open = streams.records().filter(({ closedAt }) => closedAt === undefined);
    if (calm.every(Boolean) && open.every((stream) => stream.release === release)) return;
    if (Date.now() > until) return;
    await sleep(250);
  }
}

interface More {
  readonly lost: number;
  readonly streams: readonly StreamRecord[];
  readonly moments: Moments;
  readonly astray: number;
  readonly share: number;
}

function tell(report: Report, { name, release, share }: Trial, seen: Seen, more: More): void {
  const streams = streamReport(more.streams, release, more.moments.began);
  if (seen.failed > 0) report.say(`${name}: ${JSON.stringify(seen.failures)}`);
  if (streams.failed > 0) report.say(`${name}: ${streams.failures.join(", ")}`);
  report.sample(name, "requests", "count", seen.requests);
  report.sample(name, "failed requests", "count", seen.failed);
  report.sample(name, "rows lost", "count", more.lost);
  report.sample(name, "held, answered by what leaves", "count", more.astray);
  report.sample(name, "hold", "ms", more.moments.held?.ms ?? 0);
  report.sample(name, "p99", "ms", seen.p99);
  report.sample(name, "slowest request", "ms", seen.slowest);
  if (share < 100) report.sample(name, "answers from it", "percent", more.share);
  else if (seen.all === undefined)
    report.say(`${name}: ${release} has not taken over within ${patience / 1000} s`);
  else report.sample(name, "all answers", "ms", seen.all);
  report.sample(name, "streams closed", "count", streams.closed);
  report.sample(name, "streams failed", "count", streams.failed);
  report.sample(name, "longest silence of a stream", "ms", streams.longestSilence);
  if (share === 100 && streams.allOn !== undefined) report.sample(name, "all streams", "ms", streams.allOn);
}
