import { setTimeout as sleep } from "node:timers/promises";
import { reportOf, succeeded, switchTo, type RequestRecord } from "../../test/support/load-report.ts";
import { findClientRefs, startLoad, verifyRows } from "../../test/support/load.ts";
import type { Report } from "../report.ts";

/** A way back that is tried under load. */
export interface WayBack {
  /** Case of the report. */
  readonly name: string;
  readonly url: string;
  /** The release that is to answer in the end. */
  readonly release: string;
  /** Does it, and resolves when whoever does it believes that it is done. */
  readonly act: () => Promise<void>;
  /** Rows of a query on the Meal Planner's database. */
  readonly query: (sql: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>;
}

/** What clients saw of a way back. Times are milliseconds from the moment it was asked for. */
export interface Seen {
  readonly failed: number;
  readonly longestGap: number;
  /** Undefined: the release never answered. */
  readonly first: number | undefined;
  readonly all: number | undefined;
  readonly slowest: number;
  readonly strays: number;
}

/** Milliseconds: load before it begins, and how long only the arriving release must have answered before it is over. */
const warm = 2_000;
const calm = 1_000;
/** Milliseconds after which a release that does not answer is not waited for any more. */
const patience = 30_000;

/** Tries a way back under load and reports what clients saw of it. */
export async function tryUnderLoad(report: Report, way: WayBack): Promise<void> {
  report.say(`${way.name} …`);
  const load = await startLoad({ url: way.url });
  try {
    await sleep(warm);
    const since = load.mark(way.name);
    await way.act();
    const command = performance.timeOrigin + performance.now() - since;
    const until = Date.now() + patience;
    while (Date.now() < until) {
      await sleep(calm / 2);
      if (isCalm((await load.snapshot()).records, way.release)) break;
    }
    const { records, report: whole } = await load.stop();
    const rows = await verifyRows(whole.acknowledged, async (ids) =>
      (await way.query(findClientRefs, [ids])).map(({ client_ref: id }) => String(id)),
    );
    tell(report, way.name, seenSince(records, way.release, since), { lost: rows.lost.length, command });
  } finally {
    await load.stop();
  }
}

/** What clients saw from an instant on (milliseconds since the epoch), requests under way at it included. Pure. */
export function seenSince(records: readonly RequestRecord[], release: string, since: number): Seen {
  const concerned = records.filter(({ startedAt, duration }) => startedAt + duration >= since);
  const { failed, longestGap, slowest } = reportOf(concerned);
  return { failed, longestGap, slowest, ...switchTo(records, release, since) };
}

/** Whether for a while every request has had an answer of this release. Pure. */
export function isCalm(records: readonly RequestRecord[], release: string): boolean {
  const endOf = ({ startedAt, duration }: RequestRecord): number => startedAt + duration;
  const last = records.reduce((latest, record) => Math.max(latest, endOf(record)), 0);
  const recent = records.filter((record) => endOf(record) >= last - calm);
  return recent.length > 0 && recent.every((record) => succeeded(record) && record.release === release);
}

function tell(report: Report, name: string, seen: Seen, more: { lost: number; command: number }): void {
  report.sample(name, "failed requests", "count", seen.failed);
  report.sample(name, "rows lost", "count", more.lost);
  report.sample(name, "strays", "count", seen.strays);
  report.sample(name, "longest gap", "ms", seen.longestGap);
  report.sample(name, "slowest request", "ms", seen.slowest);
  if (seen.first === undefined || seen.all === undefined) {
    report.say(`${name}: the release that was to come has not taken over within ${patience / 1000} s`);
  } else {
    report.sample(name, "first answer", "ms", seen.first);
    report.sample(name, "all answers", "ms", seen.all);
  }
  report.sample(name, "command", "ms", more.command);
}
