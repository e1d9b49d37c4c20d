import type { OwnCluster, RecoveryTarget, Settings } from "../../settings/types.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { ArchiveInfo, BaseBackup } from "../archive/info.ts";
import { access } from "../plan/access.ts";
import { checkImage, checkPossible } from "./checks.ts";
import { refuseAmbiguous } from "./ambiguous.ts";
import { compileTarget, type CompiledTarget, type Failure, type WalTarget } from "./compile.ts";
import { currentPosition, releaseStart } from "./facts.ts";
import {
  archivedSegments,
  archiveInfo,
  controlData,
  readHistory,
  withReader,
  type Reader,
} from "./reader.ts";
import { readWal, type WalContents } from "./read.ts";
import { refuseRecovery, walGap } from "./refusals.ts";
import { writesFrom } from "./running.ts";
import { branches, segmentName, segmentsAlong, segmentStart, timelineAt, type Branch } from "./segments.ts";
import { parseLsn } from "./wal.ts";

/** Everything that has to be known of the archive and of the volume in use to say where a target lies. */
export interface Archived {
  readonly reader: Reader;
  readonly info: ArchiveInfo;
  /** `pg_controldata` of the volume. */
  readonly control: ReadonlyMap<string, string>;
  /** Where the server stands. */
  readonly timeline: number;
  readonly end: bigint;
  /** From the cluster's beginning to there. */
  readonly way: readonly Branch[];
  /** Segments in the archive. */
  readonly archived: ReadonlySet<string>;
}

/**
 * Opens archive and volume for reading, and looks at both. Refuses `ARCHIVE_OFF` and what no target could mend. `free`: bytes on
 * a new volume that is there already (default: it will be made beside the one in use).
 */
export async function withArchive<T>(
  settings: Settings,
  cluster: OwnCluster,
  from: string,
  work: (archive: Archived) => Promise<T>,
  free?: number,
): Promise<T> {
  refuseWithoutArchive(cluster);
  const request = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets, from },
    ...{ prefix: stackNames(settings).network, labels: stackLabels(settings, "recovery") },
  };
  return withReader(request, async (reader) => {
    await checkImage(reader, cluster);
    const [info, control, position] = await Promise.all([
      archiveInfo(reader),
      controlData(reader),
      currentPosition(access(settings)),
    ]);
    await checkPossible({ reader, info, control, free, source: position });
    const way = branches(position.timeline, await readHistory(reader, position.timeline));
    const archived = await archivedSegments(reader, info.archiveId ?? "");
    return work({ reader, info, control, timeline: position.timeline, end: position.lsn, way, archived });
  });
}

/** Refuses `ARCHIVE_OFF`. */
export function refuseWithoutArchive({ backup }: OwnCluster): void {
  if (backup.schedule === undefined) {
    throw refuseRecovery(
      "ARCHIVE_OFF",
      "this stack keeps no archive of its WAL, from which alone a recovery can be made.",
      'Set rollback:cluster.backup.schedule (such as "0 3 * * *") before it is needed; for now, restore a dump (docs/break-glass.md).',
    );
  }
}

/** Where a target lies, and how it is reached. */
export interface Located {
  readonly backup: BaseBackup;
  readonly compiled: CompiledTarget;
  /** All WAL since the base backup, up to the gap if there is one; rows only of what is left behind or has not ended. */
  readonly contents: WalContents;
  /** First segment after the target that is missing or damaged, and what was found wrong; undefined: none is. */
  readonly gap: string | undefined;
}

/**
 * Finds a target, or refuses it. `gapAfter`: WAL that is missing behind the target is done without, as nobody wants what is in it.
 */
export async function locateTarget(
  settings: Settings,
  target: RecoveryTarget,
  archive: Archived,
  { gapAfter = false }: { readonly gapAfter?: boolean } = {},
): Promise<Located> {
  const wanted = await walTarget(settings, target);
  const found = await search({ ...archive, backups: archive.info.backups, target: wanted, gapAfter });
  if (wanted.kind === "time") await refuseAmbiguous(wanted.time, { ...archive, ...found });
  return found;
}

/** `before` as the restore point that the release's own run set; the last one, behind the fence, if there is one. */
async function walTarget(settings: Settings, target: RecoveryTarget): Promise<WalTarget & { also?: string }> {
  if (target.kind !== "before") return target;
  const run = await releaseStart(access(settings), settings, target.release);
  if (run === undefined) {
    throw refuseRecovery(
      "NAME_ABSENT",
      `no run of this stack is on record that brought ${target.release}.`,
      "Name a restore point, a time or a position instead:  rollback:recovery.target",
    );
  }
  return { kind: "restorePoint", name: `fenced-${run}`, also: `before-${run}` };
}

interface Search {
  readonly reader: Reader;
  readonly backups: readonly BaseBackup[];
  readonly way: readonly Branch[];
  readonly target: WalTarget & { also?: string };
  readonly end: bigint;
  readonly archived: ReadonlySet<string>;
  readonly gapAfter: boolean;
}

/** The newest base backup from which the target can be reached. */
async function search({ reader, backups, way, target, end, archived, gapAfter }: Search): Promise<Located> {
  const usable = usableBackups(backups, way);
  let failure: Failure = { failure: "absent" };
  let missing: Error | undefined;
  for (const backup of [...usable].reverse()) {
    const from = segmentStart(segmentName(backup.timeline, parseLsn(backup.startLsn)));
    const read = await readWal(reader, way, from, end, { rows: false });
    const gap = "gap" in read ? gapIn(read.gap, way, from, end, archived) : undefined;
    if (gap !== undefined && !gapAfter) throw gap;
    const ends = "gap" in read ? read.readable : read;
    const base = { consistent: parseLsn(backup.stopLsn), stoppedAt: backup.stoppedAt };
    const outcome = compileWith(target, ends, base, gap !== undefined);
    if (!("failure" in outcome) && (gap === undefined || isSure(target, outcome))) {
      const begin = writesFrom(ends.running, outcome.lost, from);
      const written = await readWal(reader, way, begin, end);
      if ("gap" in written && gap === undefined) throw gapIn(written.gap, way, begin, end, archived);
      const { writes, last } = "gap" in written ? written.readable : written;
      const contents = { ...ends, writes, last: last ?? ends.last };
      return { backup, compiled: outcome, contents, gap: "gap" in read ? read.gap : undefined };
    }
    // An older base backup reaches further back, but not over the gap.
    if (gap !== undefined && !("failure" in outcome && outcome.failure === "early")) missing ??= gap;
    if (!("failure" in outcome)) continue;
    failure = outcome;
    if (failure.failure === "late" || failure.failure === "duplicate") break;
  }
  throw missing ?? refusalOf(target, failure, usable);
}

/** Whether nothing behind a gap could still belong to what is kept: another transaction of the same microsecond, for one. Pure. */
function isSure({ kind }: WalTarget, { inclusive }: CompiledTarget): boolean {
  return !inclusive || kind === "xid";
}

/** Base backups that lie on the way. Pure. */
export function usableBackups(backups: readonly BaseBackup[], way: readonly Branch[]): BaseBackup[] {
  // One that ended after its timeline was left belongs to the branch that is not on the way.
  return backups.filter(({ timeline, stopLsn }) => timeline === timelineAt(way, parseLsn(stopLsn)));
}

function compileWith(
  target: WalTarget & { also?: string },
  contents: WalContents,
  base: { readonly consistent: bigint; readonly stoppedAt: number },
  cut: boolean,
): CompiledTarget | Failure {
  const first = compileTarget(target, contents, base);
  // Behind a gap there may be the very point that was looked for first.
  if (target.also === undefined || cut || !("failure" in first) || first.failure !== "absent") return first;
  return compileTarget({ kind: "restorePoint", name: target.also }, contents, base);
}

export function gapIn(
  gap: string,
  way: readonly Branch[],
  from: bigint,
  end: bigint,
  archived: ReadonlySet<string>,
): Error {
  const missing = segmentsAlong(way, from, end).filter((name) => !archived.has(name));
  return walGap(
    `${gap}${missing.length > 1 ? ` (not in the archive: ${missing.slice(0, 5).join(", ")})` : ""}`,
  );
}

function refusalOf(target: WalTarget, failure: Failure, backups: readonly BaseBackup[]): Error {
  const named = describeTarget(target);
  const [oldest] = backups;
  const early = refuseRecovery(
    "BEFORE_BACKUP_END",
    oldest === undefined
      ? "there is no base backup to begin from on this timeline."
      : `${named} lies before ${oldest.stopLsn} of ${new Date(oldest.stoppedAt).toISOString()}, the end of the oldest base backup ${oldest.label}.`,
    "Choose a later target, or restore a dump (docs/break-glass.md).",
  );
  switch (failure.failure) {
    case "early":
      return early;
    case "duplicate":
      return refuseRecovery(
        "NAME_DUPLICATE",
        `there are ${failure.count} restore points ${named}; PostgreSQL would stop at the first.`,
        "Name the position instead:  rollback:recovery.target: { lsn: … }",
      );
    case "late":
      return refuseRecovery(
        "AFTER_LAST_COMMIT",
        `${named} lies after the last transaction${failure.lastTime === undefined ? "" : ` (${failure.lastTime}+00)`}.`,
        "Choose a target that is not later, or leave rollback:recovery out: nothing would be taken back.",
      );
    case "absent":
      if (target.kind === "time" || target.kind === "lsn") return early;
      return target.kind === "xid"
        ? refuseRecovery(
            "XID_ABSENT",
            `no committed transaction ${target.xid} is in the WAL since the oldest base backup.`,
            "Name a restore point, a time or a position instead:  rollback:recovery.target",
          )
        : refuseRecovery(
            "NAME_ABSENT",
            `no restore point ${named} is in the WAL since the oldest base backup.`,
            "Name a time or a position instead:  rollback:recovery.target: { time: … }",
          );
  }
}

/** As it stands in the configuration. */
export function describeTarget(target: WalTarget): string {
  switch (target.kind) {
    case "restorePoint":
      return target.name;
    case "xid":
      return `transaction ${target.xid}`;
    case "lsn":
      return target.lsn;
    case "time":
      return target.time;
  }
}
