import { parseLsn } from "./wal.ts";

/** PostgreSQL's default, which our image keeps. */
const segmentBytes = 16n * 1024n * 1024n;

/** A timeline with the position at which the next one left it. */
export interface Branch {
  readonly timeline: number;
  /** Undefined: the last one, which has no end. */
  readonly until: bigint | undefined;
}

/** Name of the segment that holds a position. */
export function segmentName(timeline: number, lsn: bigint): string {
  const number = lsn / segmentBytes;
  return [BigInt(timeline), number >> 8n, number & 0xffn]
    .map((part) => part.toString(16).toUpperCase().padStart(8, "0"))
    .join("");
}

/** First position in a segment. */
export function segmentStart(name: string): bigint {
  return ((BigInt(`0x${name.slice(8, 16)}`) << 8n) + BigInt(`0x${name.slice(16)}`)) * segmentBytes;
}

/**
 * The way from a cluster's beginning to `timeline`, from the text of its history file (empty for timeline 1). A recovery that was told to
 * follow a timeline and ended before that one began leaves a history in which the switches go back: what was passed over is then no
 * part of the way. Pure.
 */
export function branches(timeline: number, history: string): Branch[] {
  const former = history.split("\n").flatMap((text): { timeline: number; until: bigint }[] => {
    const [, number, until] = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(text) ?? [];
    return number === undefined || until === undefined
      ? []
      : [{ timeline: Number(number), until: parseLsn(until) }];
  });
  const way = former.map(({ timeline: number, until }, n) => ({
    timeline: number,
    until: former.slice(n).reduce((least, each) => (each.until < least ? each.until : least), until),
  }));
  return [...way, { timeline, until: undefined }];
}

/**
 * Names of all segments from a position to just before another along the way, in order: right after a switch the position is that
 * of a segment which is not there yet. Where a timeline forks the segment of the fork
 * belongs to both, and the newer one's copy begins with what the older one holds: recovery reads that. Pure.
 */
export function segmentsAlong(way: readonly Branch[], from: bigint, to: bigint): string[] {
  const names: string[] = [];
  for (let lsn = (from / segmentBytes) * segmentBytes; lsn < to; lsn += segmentBytes) {
    const branch = way.find(({ until }) => until === undefined || until >= lsn + segmentBytes) ?? way.at(-1);
    if (branch !== undefined) names.push(segmentName(branch.timeline, lsn));
  }
  return names;
}

/** The older timelines' copies of the segments in which the way forks, between two positions. Pure. */
export function forkSegments(way: readonly Branch[], from: bigint, to: bigint): string[] {
  return way.flatMap(({ timeline, until }) =>
    until === undefined || until < from || until > to ? [] : [segmentName(timeline, until)],
  );
}

/** On which timeline a position of the way lies. */
export function timelineAt(way: readonly Branch[], lsn: bigint): number {
  return way.find(({ until }) => until === undefined || lsn < until)?.timeline ?? way.at(-1)?.timeline ?? 1;
}

/** A segment that replay asks for and that is nowhere, and one that begins with all of it that counts. */
export interface Stand {
  readonly segment: string;
  readonly copy: string;
}

/**
 * A server that did not start any more has left its last segment open, so that it was never archived under its name: the newer
 * timeline's copy of it begins with what it held. Undefined: a position's own segment is in the archive, or still being written. Pure.
 */
export function standIn(
  way: readonly Branch[],
  lsn: bigint,
  archived: ReadonlySet<string>,
): Stand | undefined {
  const segment = segmentName(timelineAt(way, lsn), lsn);
  const [copy] = segmentsAlong(way, lsn, lsn + 1n);
  return copy === undefined || copy === segment || archived.has(segment) ? undefined : { segment, copy };
}
