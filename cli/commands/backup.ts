import { setTimeout as sleep } from "node:timers/promises";
import { Option, type Command } from "commander";
import { baseBackup } from "../../operations/archive/base-backup.ts";
import { parseInfo } from "../../operations/archive/info.ts";
import { inServer } from "../../operations/archive/pgbackrest.ts";
import { dueBackup, nextBackup } from "../../operations/archive/schedule.ts";
import { checkArchive, type ArchiveRequest } from "../../operations/archive/set-up.ts";
import { describeWaiting, measureWaiting } from "../../operations/archive/waiting.ts";
import { readSlots } from "../../operations/database/slots.ts";
import { describeSlots } from "../../operations/recovery/slot/keep.ts";
import { access } from "../../operations/plan/access.ts";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { BackupSchedule, Settings } from "../../settings/types.ts";
import { verifyBackups } from "./backup-verify.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

interface BackupOptions extends StackOptions {
  readonly type?: "full" | "diff" | "incr";
  readonly watch: boolean;
  readonly verify: boolean;
}

/** `rollback backup`: a base backup when it is due by the configured schedule, or at once; proves that the archive works. */
export function backup(program: Command): void {
  aboutStack(program.command("backup"))
    .description(
      "make the base backup that is due (from cron, or with --watch), and prove that the archive works",
    )
    .addOption(
      new Option("--type <kind>", "this kind at once, whatever is due").choices(["full", "diff", "incr"]),
    )
    .option("--watch", "stay, and make each one when its time comes", false)
    .option("--verify", "make none; read every dump and the whole archive, and name what is damaged", false)
    .action(async ({ type, watch, verify, ...stack }: BackupOptions) => {
      const { settings } = await readStack(stack);
      if (verify) {
        await verifyBackups(settings, (line) => console.log(line));
        return;
      }
      const { request, schedule } = archiveOf(settings);
      await sayingWhatWaits(request, async () => {
        if (type !== undefined) await baseBackup(request, type);
        await checkArchive(request);
      });
      for (const line of describeSlots(await readSlots(request.server))) console.log(line);
      while (watch) await nextOne(request, schedule);
    });
}

/** Where the archive fails, it is said what waits for it and how long that can last. */
async function sayingWhatWaits(
  { container, server }: ArchiveRequest,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isRefusal(error, "ARCHIVE_FAILED"))
      console.error(describeWaiting(await measureWaiting(container, server)));
    throw error;
  }
}

async function nextOne(request: ArchiveRequest, schedule: BackupSchedule): Promise<void> {
  const next = nextBackup(schedule, new Date());
  // A timer holds at most 24.8 days; a schedule that never comes again is looked at once a day.
  const wait = Math.min(next === undefined ? 86_400_000 : next.getTime() - Date.now(), 86_400_000);
  await sleep(Math.max(1_000, wait));
  const { backups } = parseInfo(await inServer(request.container, "info", ["--output=json"]));
  const due = dueBackup(schedule, backups, new Date());
  if (due !== undefined) await baseBackup(request, due);
}

function archiveOf(settings: Settings): {
  readonly request: ArchiveRequest;
  readonly schedule: BackupSchedule;
} {
  const { cluster, secrets } = settings;
  const { schedule } = cluster.backup;
  if (cluster.kind === "external" || schedule === undefined) {
    throw new Refusal({
      code: "ARCHIVE_OFF",
      found:
        cluster.kind === "external"
          ? "the server is not ours: neither its WAL nor base backups can be had from here."
          : "this stack has no rollback:cluster.backup.schedule, and so neither an archive nor base backups.",
      untouched: "Nothing was done.",
      next: "Dumps are made before every change of a schema all the same.",
    });
  }
  const container = stackNames(settings).postgres;
  const say = (line: string): void => console.log(line);
  return { request: { container, server: access(settings), backup: cluster.backup, secrets, say }, schedule };
}
