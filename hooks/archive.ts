import {
  archiveUpToNow,
  checkArchive,
  configureServer,
  prepareArchive,
  type ArchiveRequest,
} from "../operations/archive/set-up.ts";
import { describeWaiting, measureWaiting } from "../operations/archive/waiting.ts";
import { access } from "../operations/plan/access.ts";
import { unarchived } from "../operations/plan/drift.ts";
import { Refusal, isRefusal } from "../settings/refusal.ts";
import type { EffectRun } from "./effect.ts";

/** Makes the archive before the server is told to write to it; nothing without `cluster.backup.schedule`. */
export async function setUpArchive(run: EffectRun): Promise<void> {
  await tend(run, async (request) => {
    await configureServer(request);
    const segment = unarchived(run.context.settings, run.context.world);
    // It would be waited for until pgBackRest gives up, by everybody who waits for the way back.
    if (segment !== undefined && goesOnWithout(run)) throw failing(segment);
    await prepareArchive(request);
  });
}

/** Proves that the archive takes what the server writes, and makes the base backup that is due. */
export async function proveArchive(run: EffectRun): Promise<void> {
  if (!run.context.notes.archiveFails) await tend(run, checkArchive);
}

/**
 * Behind a fence the archive is proven only after the verification. A release that comes must not find out then that nothing could
 * be recovered from it, so the server that serves archives what it has written before anything stops.
 */
export async function proveBeforeFence(run: EffectRun): Promise<void> {
  const { change, notes } = run.context;
  if (!change.hold || notes.archiveFails || !deploys(run) || !archiving(run)) return;
  await tend(run, ({ container }) => archiveUpToNow(container));
}

/**
 * An archive that does not work stops a release that comes, because nothing could be recovered from it. The way back, which may be
 * just what such a day asks for, is told of it and goes on.
 */
async function tend(run: EffectRun, work: (request: ArchiveRequest) => Promise<void>): Promise<void> {
  const { settings, names, notes } = run.context;
  const { cluster, secrets } = settings;
  if (cluster.kind !== "own" || cluster.backup.schedule === undefined) return;
  const { backup } = cluster;
  try {
    await work({ container: names.postgres, server: access(settings), backup, secrets, say: run.say });
  } catch (error) {
    if (!isRefusal(error, "ARCHIVE_FAILED") && !isRefusal(error, "BACKUP_DAMAGED")) throw error;
    const waits = await waiting(run);
    if (!goesOnWithout(run)) {
      if (waits !== "") run.say(waits);
      throw error;
    }
    notes.archiveFails = true;
    run.say(
      `WARNING: the archive of the WAL fails: ${error.details.found} This run goes on without it, and the server keeps its WAL; mend it soon, its disk fills. ${waits}`.trim(),
    );
  }
}

/** How long the server can go on so; empty where it does not answer. */
async function waiting({ context: { settings, names } }: EffectRun): Promise<string> {
  try {
    return describeWaiting(await measureWaiting(names.postgres, access(settings)));
  } catch {
    // What is wrong with the archive is worth more than this.
    return "";
  }
}

function goesOnWithout(run: EffectRun): boolean {
  return !deploys(run) && run.context.world.move === undefined && archiving(run);
}

function deploys({ context: { change } }: EffectRun): boolean {
  return change.kind === "deployment" || change.kind === "first deployment";
}

/** Whether the server that serves archives already. */
function archiving({ context: { world } }: EffectRun): boolean {
  return world.server.answers && world.server.observation.settings.get("archive_mode")?.setting === "on";
}

function failing(segment: string): Refusal {
  return new Refusal({ code: "ARCHIVE_FAILED", found: `${segment} cannot be archived.` });
}
