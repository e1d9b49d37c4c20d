/** One request as a client saw it. Times are milliseconds; `startedAt` since the epoch. */
export interface RequestRecord {
  readonly startedAt: number;
  /** Until the whole answer was read, or until it failed. */
  readonly duration: number;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Undefined when there was no (whole) answer; then `error` says why. */
  readonly status?: number;
  /** Code of the failure, e.g. `ECONNRESET`, `TIMEOUT`. */
  readonly error?: string;
  /** The answer's `x-release`. */
  readonly release?: string;
  /** The unique id that a POST sent. */
  readonly id?: string;
}

/** A named instant, e.g. the moment the rollback was asked for. */
export interface Mark {
  readonly name: string;
  readonly at: number;
}

/** What a release answered. Instants are milliseconds since the epoch, of whole answers. */
export interface ReleaseAnswers {
  readonly release: string;
  readonly answers: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** What a load saw, as figures. */
export interface LoadReport {
  readonly requests: number;
  /** Milliseconds from the first request to the last answer. */
  readonly length: number;
  /** Requests without a 2xx answer; a reset keep-alive connection counts, nothing is ever sent again. */
  readonly failed: number;
  /** Failed requests by status or error code, most frequent first. */
  readonly failures: readonly { readonly why: string; readonly count: number }[];
  /** Requests that took longer than the threshold given (default 250 ms), whether they failed or not. */
  readonly held: number;
  /** In the order of their first answer; answers without the header count as `unknown`. */
  readonly byRelease: readonly ReleaseAnswers[];
  /** Milliseconds; of all requests that had an answer. 0 without one. */
  readonly p50: number;
  readonly p99: number;
  readonly slowest: number;
  /** Longest time without a successful answer, from the first request to the last answer. */
  readonly longestGap: number;
  /** Ids of the writes that were acknowledged with 201. */
  readonly acknowledged: readonly string[];
  readonly marks: readonly Mark[];
}

/** Whether the client got what it asked for. */
export function succeeded(record: RequestRecord): boolean {
  return record.status !== undefined && record.status >= 200 && record.status < 300;
}

/** Condenses what was recorded; `heldOver`: milliseconds from which on a request counts as held. */
export function reportOf(
  records: readonly RequestRecord[],
  marks: readonly Mark[] = [],
  heldOver = 250,
): LoadReport {
  const durations = records
    .filter((r) => r.status !== undefined)
    .map((r) => r.duration)
    .sort((a, b) => a - b);
  const failed = records.filter((r) => !succeeded(r));
  const begin = records.reduce((earliest, r) => Math.min(earliest, r.startedAt), Infinity);
  const end = records.reduce((latest, r) => Math.max(latest, endOf(r)), -Infinity);
  return {
    requests: records.length,
    length: records.length === 0 ? 0 : end - begin,
    failed: failed.length,
    failures: countBy(failed.map((r) => (r.status === undefined ? (r.error ?? "unknown") : `${r.status}`))),
    held: records.filter((r) => r.duration > heldOver).length,
    byRelease: answersByRelease(records),
    p50: quantile(durations, 0.5),
    p99: quantile(durations, 0.99),
    slowest: durations.at(-1) ?? 0,
    longestGap: records.length === 0 ? 0 : longestGap(records.filter(succeeded).map(endOf), begin, end),
    acknowledged: records.flatMap((r) => (r.status === 201 && r.id !== undefined ? [r.id] : [])),
    marks,
  };
}

/** How a change of release looked to clients from an instant on; milliseconds after it. */
export interface Switch {
  /** First successful answer of the arriving release; undefined: none came. */
  readonly first: number | undefined;
  /**
   * From here on every successful answer came from the arriving release: when it first answered after the last answer
   * of another. Undefined: it never was alone.
   */
  readonly all: number | undefined;
  /** Answers of other releases to requests that were *sent* after the arriving one had first answered. */
  readonly strays: number;
}

/** How the change to `release` looked after `since` (milliseconds since the epoch). */
export function switchTo(records: readonly RequestRecord[], release: string, since: number): Switch {
  const answers = records
    .filter((r) => succeeded(r) && endOf(r) >= since)
    .sort((a, b) => endOf(a) - endOf(b));
  const arrived = answers.find((r) => r.release === release);
  if (arrived === undefined) return { first: undefined, all: undefined, strays: 0 };
  const lastOther = answers.findLastIndex((r) => r.release !== release);
  const alone = answers[lastOther + 1];
  return {
    first: endOf(arrived) - since,
    all: alone === undefined ? undefined : endOf(alone) - since,
    strays: answers.filter((r) => r.release !== release && r.startedAt > endOf(arrived)).length,
  };
}

/** The records of a span: those whose request was sent in it. Default: to the end. */
export function between(records: readonly RequestRecord[], from: number, to = Infinity): RequestRecord[] {
  return records.filter((r) => r.startedAt >= from && r.startedAt < to);
}

function endOf(record: RequestRecord): number {
  return record.startedAt + record.duration;
}

/** Nearest rank: the smallest value that at least `share` of all values do not exceed. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function longestGap(successes: readonly number[], begin: number, end: number): number {
  const instants = [begin, ...[...successes].sort((a, b) => a - b), end];
  return instants.reduce((longest, at, i) => Math.max(longest, at - (instants[i - 1] ?? at)), 0);
}

function countBy(values: readonly string[]): { why: string; count: number }[] {
  return [...Map.groupBy(values, (value) => value)]
    .map(([why, all]) => ({ why, count: all.length }))
    .sort((a, b) => b.count - a.count);
}

function answersByRelease(records: readonly RequestRecord[]): ReleaseAnswers[] {
  const answered = records.filter((r) => r.status !== undefined);
  return [...Map.groupBy(answered, (r) => r.release ?? "unknown")]
    .map(([release, all]) => ({
      release,
      answers: all.length,
      firstAt: all.reduce((earliest, r) => Math.min(earliest, endOf(r)), Infinity),
      lastAt: all.reduce((latest, r) => Math.max(latest, endOf(r)), -Infinity),
    }))
    .sort((a, b) => a.firstAt - b.firstAt);
}
