import type { BaseBackup } from "../archive/info.ts";
import { utc, type CompiledTarget } from "./compile.ts";
import { readWal } from "./read.ts";
import { readHistory, type Reader } from "./reader.ts";
import { refuseRecovery } from "./refusals.ts";
import { branches, segmentStart, timelineAt, type Branch } from "./segments.ts";
import { formatLsn } from "./wal.ts";

interface Compiled {
  readonly reader: Reader;
  readonly way: readonly Branch[];
  readonly archived: ReadonlySet<string>;
  readonly backup: Pick<BaseBackup, "timeline">;
  readonly compiled: CompiledTarget;
}

/**
 * Refuses a time at which the server was on a branch that it has left since, by a recovery or its undo: between the last
 * transaction that is kept and that time, others committed there, and the state of then is not on the way to where the server is now.
 */
export async function refuseAmbiguous(time: string, found: Compiled): Promise<void> {
  const { reader, way, archived, compiled } = found;
  for (const timeline of leftBetween(found)) {
    const onWay = way.find((each) => each.timeline === timeline);
    const branch = branches(timeline, await readHistory(reader, timeline));
    const begin = onWay === undefined ? (branch.at(-2)?.until ?? 0n) : (onWay.until ?? 0n);
    const end = endOf(archived, timeline);
    if (end <= begin) continue;
    const contents = await readWal(reader, branch, begin, end);
    // What cannot be read may hold the answer.
    const unknown = "gap" in contents ? contents.gap : undefined;
    const others =
      "gap" in contents
        ? []
        : contents.endings.filter(
            ({ lsn, committed, time: at }) =>
              committed && lsn >= begin && at <= utc(time) && at > (compiled.last?.time ?? ""),
          );
    if (others.length === 0 && unknown === undefined) continue;
    throw refuseRecovery(
      "TIMELINE_AMBIGUOUS",
      `at ${time} the server was on timeline ${timeline}, which was left since: ${unknown ?? `${others.length} transactions after ${formatLsn(begin)}`} are not on the way to timeline ${String(way.at(-1)?.timeline)}.`,
      `Say what was meant: the last state before them is  target: ${compiled.last === undefined ? `{ lsn: "${formatLsn(begin)}" }` : `{ xid: "${compiled.last.xid}" }`};  they themselves are on the volume of then.`,
    );
  }
}

/**
 * Timelines on which the server can have been between the last transaction kept and the first that is not; they are numbered in the
 * order in which they were opened. Pure.
 */
export function leftBetween({
  compiled,
  way,
  backup,
}: Pick<Compiled, "compiled" | "way" | "backup">): number[] {
  const [next] = compiled.lost;
  if (next === undefined) return [];
  const first = compiled.last === undefined ? backup.timeline : timelineAt(way, compiled.last.lsn);
  const last = timelineAt(way, next.lsn);
  return Array.from({ length: Math.max(0, last - first) }, (_, n) => first + n);
}

/** End of the last segment of a timeline in the archive; 0: it has none. */
function endOf(archived: ReadonlySet<string>, timeline: number): bigint {
  const own = [...archived].filter((name) => Number.parseInt(name.slice(0, 8), 16) === timeline).sort();
  const last = own.at(-1);
  return last === undefined ? 0n : segmentStart(last) + 16n * 1024n * 1024n - 1n;
}
