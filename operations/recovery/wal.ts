/** A transaction's end as the WAL tells of it. */
export interface Ending {
  /** Position of the record. */
  readonly lsn: bigint;
  readonly timeline: number;
  readonly xid: string;
  /** Transactions within it (savepoints), whose changes bear their own ids. */
  readonly subxids: readonly string[];
  readonly committed: boolean;
  /** UTC with microseconds, `2026-11-25 06:26:06.903992`: comparable as text. */
  readonly time: string;
}

/** A named restore point. */
export interface NamedPoint {
  readonly lsn: bigint;
  readonly timeline: number;
  readonly name: string;
}

/** What a stretch of WAL holds, in its order. */
export interface Endings {
  readonly endings: readonly Ending[];
  readonly points: readonly NamedPoint[];
  readonly prepared: readonly Prepared[];
}

/** First phase of a two-phase commit. */
export interface Prepared {
  readonly lsn: bigint;
  readonly xid: string;
  readonly gid: string;
  /** As of an `Ending`. */
  readonly time: string;
}

/** `0/16B3748` as a number. */
export function parseLsn(text: string): bigint {
  const [high = "0", low = "0"] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** As PostgreSQL writes it. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

const line = /^rmgr: \S+ .* tx: +(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+), .*? desc: (.*)$/;
const ending =
  /^(COMMIT|ABORT)(?:_PREPARED (\d+):)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC(?:.*?; subxacts: ([\d ]+))?/;

const prepare = /^PREPARE gid (.*?): (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC/;

/**
 * Parses what `pg_waldump` printed of one timeline: ends of transactions, first phases of their commits and restore points; other lines are skipped.
 * https://git.postgresql.org/gitweb/?p=postgresql.git;a=blob;f=src/backend/access/rmgrdesc/xactdesc.c;hb=REL_17_STABLE
 */
export function parseWal(printed: string, timeline: number): Endings {
  const endings: Ending[] = [];
  const points: NamedPoint[] = [];
  const prepared: Prepared[] = [];
  for (const text of printed.split("\n")) {
    const [, tx = "0", at = "0/0", description = ""] = line.exec(text) ?? [];
    const lsn = parseLsn(at);
    if (description.startsWith("RESTORE_POINT ")) {
      points.push({ lsn, timeline, name: description.slice("RESTORE_POINT ".length) });
      continue;
    }
    const [, gid, since = ""] = prepare.exec(description) ?? [];
    if (gid !== undefined) prepared.push({ lsn, xid: tx, gid, time: sixDigits(since) });
    const found = ending.exec(description);
    if (found === null) continue;
    const [, how, first, time = "", subxids = ""] = found;
    endings.push({
      lsn,
      timeline,
      xid: first ?? tx,
      subxids: subxids.split(" ").filter(Boolean),
      committed: how === "COMMIT",
      time: sixDigits(time),
    });
  }
  return { endings, points, prepared };
}

function sixDigits(time: string): string {
  return time.includes(".") ? time.padEnd(26, "0") : `${time}.000000`;
}

/** Server settings from each place on at which they changed, by the names of the WAL. */
export function parseParameters(printed: string): ReadonlyMap<string, number>[] {
  return [...printed.matchAll(/ desc: PARAMETER_CHANGE (.*)/g)].map(([, text = ""]) => {
    const values = [...text.matchAll(/(\w+)=(\d+)/g)];
    return new Map(values.map(([, name = "", value]) => [name, Number(value)]));
  });
}

/** No position lies behind it. */
export const endOfWal = 0xffff_ffff_ffff_ffffn;
