import type { OwnCluster, RecoveryTarget, Settings } from "../../settings/types.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { ArchiveInfo, BaseBackup } from "../archive/info.ts";
import { access } from "../plan/access.ts";
import { checkPossible } from "./checks.ts";
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
import { refuseRecovery } from "./refusals.ts";
import { branches, segmentName, segmentsAlong, segmentStart, timelineAt, type Branch } from "./segments.ts";
import { formatLsn, parseLsn } from "./wal.ts";

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

/** Opens archive and volume for reading, and looks at both. Refuses `ARCHIVE_OFF` and what no target could mend. */
export async function withArchive<T>(
  settings: Settings,
  cluster: OwnCluster,
  from: string,
  work: (archive: Archived) => Promise<T>,
): Promise<T> {
  if (cluster.backup.schedule === undefined) {
    throw refuseRecovery(
      "ARCHIVE_OFF",
      "this stack keeps no archive of its WAL, from which alone a recovery can be made.",
      'Set rollback:cluster.backup.schedule (such as "0 3 * * *") before it is needed; for now, restore a dump (docs/break-glass.md).',
    );
  }
  const request = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets, from },
    ...{ prefix: stackNames(settings).network, labels: stackLabels(settings, "recovery") },
  };
  return withReader(request, async (reader) => {
    const [info, control, position] = await Promise.all([
      archiveInfo(reader),
      controlData(reader),
      currentPosition(access(settings)),
    ]);
    await checkPossible({ reader, info, control, cluster });
    const way = branches(position.timeline, await readHistory(reader, position.timeline));
    const archived = await archivedSegments(reader, info.archiveId ?? "");
    return work({ reader, info, control, timeline: position.timeline, end: position.lsn, way, archived });
  });
}

/** Where a target lies, and how it is reached. */
export interface Located {
  readonly backup: BaseBackup;
  readonly compiled: CompiledTarget;
  /** All WAL since the base backup. */
  readonly contents: WalContents;
}

/** Finds a target, or refuses it. */
export async function locateTarget(
  settings: Settings,
  target: RecoveryTarget,
  archive: Archived,
): Promise<Located> {
  const wanted = await walTarget(settings, target);
  const found = await search({ ...archive, backups: archive.info.backups, target: wanted });
  refuseAmbiguous(found, wanted, archive.way, archive.archived);
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
}

/** The newest base backup from which the target can be reached. */
async function search({ reader, backups, way, target, end, archived }: Search): Promise<Located> {
  const usable = usableBackups(backups, way);
  let failure: Failure = { failure: "absent" };
  for (const backup of [...usable].reverse()) {
    const from = segmentStart(segmentName(backup.timeline, parseLsn(backup.startLsn)));
    const contents = await readWal(reader, way, from, end);
    if ("gap" in contents) throw walGap(contents.gap, way, from, end, archived);
    const outcome = compileWith(target, contents, {
      consistent: parseLsn(backup.stopLsn),
      stoppedAt: backup.stoppedAt,
    });
    if (!("failure" in outcome)) return { backup, compiled: outcome, contents };
    failure = outcome;
    if (failure.failure === "late" || failure.failure === "duplicate") break;
  }
  throw refusalOf(target, failure, usable);
}

/** Base backups that lie on the way. Pure. */
function usableBackups(backups: readonly BaseBackup[], way: readonly Branch[]): BaseBackup[] {
  return backups.filter(({ timeline, startLsn, stopLsn }) => {
    const on = timelineAt(way, parseLsn(stopLsn));
    return timeline === on || timeline === timelineAt(way, parseLsn(startLsn));
  });
}

function compileWith(
  target: WalTarget & { also?: string },
  contents: WalContents,
  base: { readonly consistent: bigint; readonly stoppedAt: number },
): CompiledTarget | Failure {
  const first = compileTarget(target, contents, base);
  if (target.also === undefined || !("failure" in first) || first.failure !== "absent") return first;
  return compileTarget({ kind: "restorePoint", name: target.also }, contents, base);
}

function walGap(
  gap: string,
  way: readonly Branch[],
  from: bigint,
  end: bigint,
  archived: ReadonlySet<string>,
): Error {
  const missing = segmentsAlong(way, from, end).filter((name) => !archived.has(name));
  return refuseRecovery(
    "WAL_GAP",
    `the WAL cannot be read without a break: ${gap}${missing.length > 1 ? ` (not in the archive: ${missing.slice(0, 5).join(", ")})` : ""}.`,
    "Choose a target before it with an older base backup, or restore a dump. Make a new base backup now:  npx rollback backup --type full",
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

/** A time for which an earlier branch has more than the way leads through: which of the two was meant? */
function refuseAmbiguous(
  { compiled }: Located,
  target: WalTarget,
  way: readonly Branch[],
  archived: ReadonlySet<string>,
): void {
  if (target.kind !== "time") return;
  const [next] = compiled.lost;
  const last = compiled.last?.lsn ?? 0n;
  for (const { timeline, until } of way) {
    if (until === undefined || last >= until || (next !== undefined && next.lsn < until)) continue;
    const beyond = [...archived].filter(
      (name) => Number.parseInt(name.slice(0, 8), 16) === timeline && segmentStart(name) >= until,
    );
    if (beyond.length === 0) continue;
    throw refuseRecovery(
      "TIMELINE_AMBIGUOUS",
      `${target.time} lies where timeline ${timeline} was left at ${formatLsn(until)}; what was written after that on timeline ${timeline} is not on the way to timeline ${String(way.at(-1)?.timeline)}.`,
      `Say which was meant: the end of timeline ${timeline} is  target: { lsn: "${formatLsn(until)}" };  what came after it is on the volume of then.`,
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
