import { Cron } from "croner";
import type { BackupSchedule } from "../../settings/types.ts";
import type { BaseBackup } from "./info.ts";

export type BackupKind = BaseBackup["type"];

/**
 * The kind of base backup whose time has come since the last one that would do in its place, or undefined. A full one stands in
 * for any, a differential one for an incremental one. Without a full backup everything else would have no base. Pure.
 */
export function dueBackup(
  schedule: BackupSchedule,
  backups: readonly Pick<BaseBackup, "type" | "stoppedAt">[],
  now: Date,
): BackupKind | undefined {
  const last = (kinds: readonly BackupKind[]): number | undefined =>
    backups.filter(({ type }) => kinds.includes(type)).at(-1)?.stoppedAt;
  const full = last(["full"]);
  if (full === undefined || passed(schedule.full, full, now)) return "full";
  const { diff, incr } = schedule;
  if (diff !== undefined && passed(diff, last(["full", "diff"]) ?? full, now)) return "diff";
  if (incr !== undefined && passed(incr, last(["full", "diff", "incr"]) ?? full, now)) return "incr";
  return undefined;
}

/** When the next base backup of any kind is due; undefined: never. */
export function nextBackup(schedule: BackupSchedule, after: Date): Date | undefined {
  const times = [schedule.full, schedule.diff, schedule.incr].flatMap((expression) => {
    const next = expression === undefined ? null : cron(expression).nextRun(after);
    return next === null ? [] : [next];
  });
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

function passed(expression: string, since: number, now: Date): boolean {
  const next = cron(expression).nextRun(new Date(since));
  return next !== null && next <= now;
}

function cron(expression: string): Cron {
  return new Cron(expression, { paused: true, timezone: "UTC" });
}
