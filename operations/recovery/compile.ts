import type { RecoveryTarget } from "../../settings/types.ts";
import { parseLsn, type Ending, type Endings, type Prepared } from "./wal.ts";

/** Exactly one place in the WAL. */
export interface CompiledTarget {
  readonly lsn: bigint;
  /** True: the record at `lsn` is the last one kept; false: the first one that is not. */
  readonly inclusive: boolean;
  /** Last transaction that is kept; undefined: none since the base backup. */
  readonly last: Ending | undefined;
  /**
   * What the server will name as the time of the last transaction's end when it is paused there; undefined: none. The record at an
   * inclusive target is replayed, but its time not taken note of (`recoveryStopsAfter`).
   */
  readonly lastTime: string | undefined;
  /** Committed transactions that are not kept, oldest first. */
  readonly lost: readonly Ending[];
}

/** Why a target cannot be compiled from this stretch of WAL. */
export type Failure =
  /** Not there; it may lie before the stretch. */
  | { readonly failure: "absent" }
  /** Only before what the base backup needs to become consistent. */
  | { readonly failure: "early" }
  | { readonly failure: "late"; readonly lastTime: string | undefined }
  | { readonly failure: "duplicate"; readonly count: number };

/** A target that is in the WAL itself; `before` has been turned into a restore point by then. */
export type WalTarget = Exclude<RecoveryTarget, { kind: "before" }>;

/**
 * Compiles a target against the ends of all transactions since a base backup, which is consistent from `consistent` on and ended at
 * `stoppedAt` (milliseconds since the epoch).
 * "Just before" is the first unwanted end, exclusive; if the last wanted one is the last of all, that one inclusive, as an
 * exclusive target needs a record after it. A first phase of a commit is an end in this: what was not prepared yet is not. `time` and `xid` keep the transaction they name, `lsn` and `restorePoint` keep what
 * lies before them. Pure.
 */
export function compileTarget(
  target: WalTarget,
  { endings, points, prepared }: Endings,
  base: { readonly consistent: bigint; readonly stoppedAt: number },
): CompiledTarget | Failure {
  const { consistent, stoppedAt } = base;
  const cut = cutOf(target, { endings, points });
  if ("failure" in cut) return cut;
  const tooEarly = target.kind === "time" && cut.kept === 0 && Date.parse(`${utc(target.time)}Z`) < stoppedAt;
  if (tooEarly) return { failure: "early" };
  const first = endings[cut.kept];
  const last = endings[cut.kept - 1];
  const between = prepared.filter(
    ({ lsn }) => lsn > (last?.lsn ?? 0n) && (first === undefined || lsn < first.lsn),
  );
  const stop = between.find((each) => unwanted(target, cut, each)) ?? first;
  const at = stop ?? between.at(-1) ?? last;
  if (at === undefined) return { failure: "absent" };
  const place = { lsn: at.lsn, inclusive: stop === undefined };
  if (place.lsn < consistent || (cut.at !== undefined && cut.at < consistent)) return { failure: "early" };
  const kept = endings.slice(0, cut.kept).filter(({ committed }) => committed);
  return {
    ...place,
    last: kept.at(-1),
    lastTime: (place.inclusive && at === last ? endings[cut.kept - 2] : last)?.time,
    lost: endings.slice(cut.kept).filter(({ committed }) => committed),
  };
}

/** How many ends are kept, and the position that was named, if one was. */
type Cut = { readonly kept: number; readonly at?: bigint };

/** Whether a transaction was prepared only after the target: it would wait for its second phase, and hold its locks. */
function unwanted(target: WalTarget, { at }: Cut, { lsn, time }: Prepared): boolean {
  if (target.kind === "time") return time > utc(target.time);
  return at !== undefined && lsn >= at;
}

function cutOf(target: WalTarget, { endings, points }: Pick<Endings, "endings" | "points">): Cut | Failure {
  const before = (lsn: bigint): Cut => {
    const index = endings.findIndex((each) => each.lsn >= lsn);
    return { kept: index === -1 ? endings.length : index, at: lsn };
  };
  switch (target.kind) {
    case "restorePoint": {
      const found = points.filter(({ name }) => name === target.name);
      const [point] = found;
      if (point === undefined) return { failure: "absent" };
      return found.length > 1 ? { failure: "duplicate", count: found.length } : before(point.lsn);
    }
    case "xid": {
      const index = endings.findIndex(({ xid }) => xid === target.xid);
      const found = endings[index];
      if (found?.committed !== true) return { failure: "absent" };
      return { kept: index + 1, at: found.lsn };
    }
    case "lsn": {
      const lsn = parseLsn(target.lsn);
      const last = endings.at(-1);
      return last === undefined || lsn > last.lsn + longestEnding
        ? { failure: "late", lastTime: last?.time }
        : before(lsn);
    }
    case "time": {
      const padded = utc(target.time);
      const last = endings.at(-1);
      if (last === undefined || padded > last.time) return { failure: "late", lastTime: last?.time };
      const index = endings.findIndex((each) => each.time > padded);
      return { kept: index === -1 ? endings.length : index };
    }
  }
}

/** Bytes after the last end that `pg_current_wal_lsn()` may stand at and still mean "all of it": what the server notes by itself. */
const longestEnding = 64n * 1024n;

/** `2026-11-22 09:00:00.5+00` as the WAL writes it, with six digits and without the zone. */
export function utc(instant: string): string {
  const time = instant.replace(/\+00$/, "");
  return time.includes(".") ? time.padEnd(26, "0") : `${time}.000000`;
}
