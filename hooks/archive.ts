import {
  checkArchive,
  configureServer,
  prepareArchive,
  type ArchiveRequest,
} from "../operations/archive/set-up.ts";
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
    if (!isRefusal(error, "ARCHIVE_FAILED") || !goesOnWithout(run)) throw error;
    notes.archiveFails = true;
    run.say(
      `WARNING: the archive of the WAL fails: ${error.details.found} This run goes on without it, and the server keeps its WAL; mend it soon, its disk fills.`,
    );
  }
}

function goesOnWithout({ context: { change, world } }: EffectRun): boolean {
  const deploys = change.kind === "deployment" || change.kind === "first deployment";
  const archiving =
    world.server.answers && world.server.observation.settings.get("archive_mode")?.setting === "on";
  return !deploys && world.move === undefined && archiving;
}

function failing(segment: string): Refusal {
  return new Refusal({ code: "ARCHIVE_FAILED", found: `${segment} cannot be archived.` });
}
