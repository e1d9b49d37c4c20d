import { parseLsn, type Ending } from "./wal.ts";

/** A note of the server's, every some seconds and with each checkpoint, of which transactions are under way. */
export interface Running {
  readonly lsn: bigint;
  /** Id that the next transaction will get: whatever has it, or a later one, writes after this place only. */
  readonly next: string;
  /** Every transaction before this one had ended. */
  readonly oldest: string;
}

/** From the lines `RUNNING LSN NEXT OLDEST`. Pure. */
export function parseRunning(printed: string): Running[] {
  return [...printed.matchAll(/^RUNNING (\S+) (\d+) (\d+)$/gm)].map(
    ([, lsn = "", next = "", oldest = ""]) => ({
      ...{ lsn: parseLsn(lsn), next, oldest },
    }),
  );
}

/**
 * Place from which on everything lies that the lost transactions wrote, and those that had not ended at the end of the stretch: rows
 * need not be counted from the base backup on. A transaction that was long under way moves it back. Pure.
 */
export function writesFrom(running: readonly Running[], lost: readonly Ending[], from: bigint): bigint {
  const last = running.at(-1);
  if (last === undefined) return from;
  const first = lost
    .flatMap(({ xid, subxids }) => [xid, ...subxids])
    .reduce((least, xid) => (precedes(xid, least) ? xid : least), last.oldest);
  return running.findLast(({ next }) => !precedes(first, next))?.lsn ?? from;
}

/** Ids of transactions go round after 32 bits; the earlier one is less than half of that behind. */
function precedes(one: string, other: string): boolean {
  return ((Number(one) - Number(other)) | 0) < 0;
}
