import { dataFolder } from "../../settings/archive.ts";
import { stackLabel } from "../../settings/names.ts";
import { stackLabels } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import { docker } from "../docker/run.ts";
import { readMark } from "./mark.ts";
import { refuseRecovery } from "./refusals.ts";
import { restoreBackup, type Restoration } from "./restore.ts";

/** Makes a volume for PostgreSQL's data; nothing to do when it is there. */
export async function makeVolume(settings: Settings, volume: string): Promise<void> {
  const labels = Object.entries(stackLabels(settings, "volume", { volume: "data" }));
  await docker([
    ...["volume", "create", ...labels.flatMap(([name, value]) => ["--label", `${name}=${value}`]), volume],
  ]);
}

/** Empties what a killed run of this stack has begun on it; anything else is refused as `VOLUME_NOT_EMPTY`. */
export async function emptyVolume(container: string, settings: Settings, volume: string): Promise<void> {
  const { files, mark, restoring } = await readMark(container);
  if (files === 0) return;
  const ours =
    mark === undefined ? restoring : mark.stack === stackLabel(settings) && mark.state !== "served";
  if (!ours) {
    throw refuseRecovery(
      "VOLUME_NOT_EMPTY",
      `${volume} holds something already, and not an unfinished recovery of this stack.`,
      "Name a new volume:  rollback:recovery.volume (and rollback:cluster.volume)",
    );
  }
  await deleteAll(container);
}

async function deleteAll(container: string): Promise<void> {
  await docker(["exec", "-u", "postgres", container, "find", dataFolder, "-mindepth", "1", "-delete"], {
    timeoutMs: 600_000,
  });
}

/** Restores a base backup into a data directory in which only the mark lies, which stays. */
export async function restoreBesideMark(
  container: string,
  { settings, cluster }: { readonly settings: Settings; readonly cluster: OwnCluster },
  restoration: Restoration,
): Promise<void> {
  const mark = `${dataFolder}/rollback-recovery.json`;
  // pgBackRest restores only into an empty folder; the mark waits outside meanwhile.
  await docker(["exec", "-u", "postgres", container, "mv", mark, "/dev/shm/mark"]);
  try {
    await restoreBackup(container, cluster, settings.secrets, restoration);
  } catch (error) {
    // Half a restore is of no use, and on a full disk there would be no room for the mark.
    await deleteAll(container);
    throw error;
  } finally {
    await docker(["exec", "-u", "postgres", container, "mv", "/dev/shm/mark", mark]);
  }
}
