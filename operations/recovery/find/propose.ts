import { formatLsn, type Ending } from "../wal.ts";

/** A moment just before a transaction, in every way in which it can be named. */
export interface Proposal {
  /** Position of the transaction's end: what lies before it is kept. */
  readonly lsn: string;
  /** The last transaction that is kept; undefined: none since the base backup. */
  readonly kept: { readonly xid: string; readonly time: string } | undefined;
  /** What to write into the stack file. */
  readonly configuration: string;
}

/** Proposes the moment just before `ending`; `endings` in order. Pure. */
export function justBefore(ending: Ending, endings: readonly Ending[], from: string): Proposal {
  const kept = endings.findLast(({ lsn, committed }) => committed && lsn < ending.lsn);
  const lsn = formatLsn(ending.lsn);
  const volume = nextVolume(from);
  return {
    lsn,
    kept: kept === undefined ? undefined : { xid: kept.xid, time: `${kept.time}+00` },
    configuration: [
      "rollback:cluster:",
      `  volume: ${volume}`,
      "rollback:recovery:",
      `  volume: ${volume}`,
      `  from: ${from}`,
      `  target: { lsn: "${lsn}" }`,
      "  laterWrites: keep",
    ].join("\n"),
  };
}

/** `pgdata-1` → `pgdata-2`, `pgdata` → `pgdata-2`. Pure. */
export function nextVolume(volume: string): string {
  const [, start = volume, number] = /^(.*?)-(\d+)$/.exec(volume) ?? [];
  return number === undefined ? `${volume}-2` : `${start}-${Number(number) + 1}`;
}
