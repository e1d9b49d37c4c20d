import { createHash } from "node:crypto";
import type { OwnCluster, Recovery, RecoveryTarget, Settings } from "../../settings/types.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { BaseBackup } from "../archive/info.ts";
import { access } from "../plan/access.ts";
import type { World } from "../plan/world.ts";
import { checkPossible, parametersOf } from "./checks.ts";
import { compileTarget, type CompiledTarget, type Failure, type WalTarget } from "./compile.ts";
import { currentPosition, releaseStart, schemaAt } from "./facts.ts";
import { lossesOf } from "./losses.ts";
import {
  archivedSegments,
  archiveInfo,
  controlData,
  readHistory,
  withReader,
  type Reader,
} from "./reader.ts";
import { readWal, type WalContents } from "./read.ts";
import type { RecoveryPlan } from "./types.ts";
import { refuseRecovery } from "./refusals.ts";
import { branches, segmentName, segmentsAlong, segmentStart, timelineAt, type Branch } from "./segments.ts";
import { formatLsn, parseLsn } from "./wal.ts";

/** Works out where a recovery ends, or refuses it. Reads only. */
export async function planRecovery(
  settings: Settings,
  cluster: OwnCluster,
  recovery: Recovery,
  schema: World["schema"],
): Promise<RecoveryPlan> {
  if (cluster.backup.schedule === undefined) {
    throw refuseRecovery(
      "ARCHIVE_OFF",
      "this stack keeps no archive of its WAL, from which alone a recovery can be made.",
      'Set rollback:cluster.backup.schedule (such as "0 3 * * *") before it is needed; for now, restore a dump (docs/break-glass.md).',
    );
  }
  const names = stackNames(settings);
  const request = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets, from: recovery.from },
    ...{ prefix: names.network, labels: stackLabels(settings, "recovery") },
  };
  return withReader(request, (reader) => planWith(settings, cluster, recovery, schema, reader));
}

async function planWith(
  settings: Settings,
  cluster: OwnCluster,
  recovery: Recovery,
  schema: World["schema"],
  reader: Reader,
): Promise<RecoveryPlan> {
  const server = access(settings);
  const [info, control, position] = await Promise.all([
    archiveInfo(reader),
    controlData(reader),
    currentPosition(server),
  ]);
  await checkPossible({ reader, info, control, cluster });
  const way = branches(position.timeline, await readHistory(reader, position.timeline));
  const target = await walTarget(settings, recovery.target);
  const archived = await archivedSegments(reader, info.archiveId ?? "");
  const found = await search({ reader, backups: info.backups, way, target, end: position.lsn, archived });
  refuseAmbiguous(found, target, way, archived);
  const { backup, compiled, contents } = found;
  const databases = [...settings.databases.values()].filter(({ name }) => schema.get(name)?.exists === true);
  return {
    id: createHash("sha256")
      .update(JSON.stringify([String(compiled.lsn), compiled.inclusive, position.timeline, backup.label]))
      .digest("hex")
      .slice(0, 16),
    volume: recovery.volume,
    from: recovery.from,
    backup,
    target: compiled,
    timeline: position.timeline,
    lost: compiled.lost,
    losses: await lossesOf(server, databases, contents.writes, compiled.lost),
    walBytes: Number(compiled.lsn - parseLsn(backup.startLsn)),
    schema: await schemaAt(server, settings, schema, compiled.lost),
    left: new Map([...schema].map(([name, { version }]) => [name, version])),
    parameters: parametersOf(control),
  };
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

interface Found {
  readonly backup: BaseBackup;
  readonly compiled: CompiledTarget;
  readonly contents: WalContents;
}

/** The newest base backup from which the target can be reached. */
async function search({ reader, backups, way, target, end, archived }: Search): Promise<Found> {
  const usable = backups.filter(({ timeline, startLsn, stopLsn }) => {
    const on = timelineAt(way, parseLsn(stopLsn));
    return timeline === on || timeline === timelineAt(way, parseLsn(startLsn));
  });
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
  { compiled }: Found,
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
