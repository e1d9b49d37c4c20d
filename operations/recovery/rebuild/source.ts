import type { BaseBackup } from "../../archive/info.ts";
import { branches, segmentName, segmentsAlong, segmentStart } from "../segments.ts";
import { usableBackups } from "../locate.ts";
import { parseControl, readerShell, type Reader } from "../reader.ts";
import { refuseRecovery } from "../refusals.ts";
import { endOfWal, parseLsn } from "../wal.ts";

/** What a data directory tells whose server does not start; every part of it may be damaged, or gone. */
export interface DeadVolume {
  /** Major version of the PostgreSQL that wrote it. */
  readonly version: string | undefined;
  /** `pg_controldata`; empty where there is none to read. */
  readonly control: ReadonlyMap<string, string>;
  /** Names of segments in `pg_wal`, those included that were only laid out for later. */
  readonly segments: readonly string[];
  /** Those of them that are full, and wait for the archive. */
  readonly waiting: readonly string[];
}

const part = "--- next";
const script = `cd "$1"; cat PG_VERSION 2>/dev/null || true; echo '${part}'
  LC_ALL=C pg_controldata --pgdata=. 2>/dev/null || true; echo '${part}'
  ls pg_wal 2>/dev/null || true; echo '${part}'
  ls pg_wal/archive_status 2>/dev/null || true`;

/** Reads what there is to read; a part that cannot be read is empty. */
export async function readDeadVolume(reader: Reader): Promise<DeadVolume> {
  return parseDeadVolume(await readerShell(reader, script, [reader.data]));
}

/** Pure. */
export function parseDeadVolume(printed: string): DeadVolume {
  const [version = "", control = "", wal = "", status = ""] = printed.split(`${part}\n`);
  return {
    version: version.trim() === "" ? undefined : version.trim(),
    control: parseControl(control),
    segments: wal.match(/^[0-9A-F]{24}$/gm) ?? [],
    waiting: status.match(/^[0-9A-F]{24}(?=\.ready$)/gm) ?? [],
  };
}

/** The timeline that the server wrote: a recovery that was killed may have left newer ones in the archive. Pure. */
export function lastTimeline({ control, segments }: DeadVolume, archived: ReadonlySet<string>): number {
  const own = segments.length === 0 ? [...archived] : segments;
  const timelines = own.map((name) => Number.parseInt(name.slice(0, 8), 16));
  return Math.max(1, Number(control.get("Latest checkpoint's TimeLineID") ?? 0), ...timelines);
}

/** How a server is put together again up to its last transaction. */
export interface RebuildPlan {
  readonly backup: BaseBackup;
  readonly timeline: number;
  /** The newest segment that was written to its end; replay must come into it, unless it may end before. */
  readonly newest: string | undefined;
  /** Full segments that only the old volume has. */
  readonly waiting: readonly string[];
}

export interface RebuildSource {
  readonly volume: Pick<DeadVolume, "segments" | "waiting">;
  readonly backups: readonly BaseBackup[];
  readonly archived: ReadonlySet<string>;
  readonly timeline: number;
  /** Text of the timeline's history file. */
  readonly history: string;
  /** Whether it may end where WAL is missing. */
  readonly toGap: boolean;
}

/** Refuses `BEFORE_BACKUP_END` and `WAL_GAP`: before anything is restored. Pure. */
export function planRebuild(source: RebuildSource): RebuildPlan {
  const { volume, timeline, toGap } = source;
  const way = branches(timeline, source.history);
  const backup = usableBackups(source.backups, way).at(-1);
  if (backup === undefined) {
    throw refuseRecovery(
      "BEFORE_BACKUP_END",
      `the archive holds no base backup of timeline ${timeline} or of what leads to it.`,
      "Restore a dump (docs/break-glass.md).",
    );
  }
  const from = parseLsn(backup.startLsn);
  const full = [...source.archived, ...volume.waiting].filter(
    (name) => name >= segmentName(timeline, from) && name <= segmentName(timeline, endOfWal),
  );
  const newest = full.sort().at(-1);
  const stop = parseLsn(backup.stopLsn);
  const ends = [stop, way.at(-2)?.until ?? 0n, newest === undefined ? 0n : segmentStart(newest) + 1n];
  // Until the backup is consistent there is nothing to end at.
  const until = toGap ? stop : ends.reduce((most, each) => (each > most ? each : most));
  const there = new Set([...source.archived, ...volume.segments]);
  const missing = segmentsAlong(way, from, until).filter((name) => !there.has(name));
  if (missing.length > 0) {
    throw refuseRecovery(
      "WAL_GAP",
      `${missing.slice(0, 5).join(", ")} ${missing.length === 1 ? "is" : "are"} neither in the archive nor on the volume: replay would end there.`,
      toGap ? "Restore a dump (docs/break-glass.md)." : orToGap,
    );
  }
  const waiting = volume.waiting.filter((name) => !source.archived.has(name)).sort();
  return { backup, timeline, newest: toGap ? undefined : newest, waiting };
}

/** What to do about a gap. */
export const orToGap =
  "Put it back into the archive if a copy of it exists; to do without what was written there and later:  the same with --to-gap";
