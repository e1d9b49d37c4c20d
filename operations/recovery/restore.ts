import { archiveConfigName, dataFolder } from "../../settings/archive.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { OwnCluster, Secrets } from "../../settings/types.ts";
import {
  archiveConfiguration,
  pgbackrest,
  runArchive,
  serverConfig,
  writeConfiguration,
} from "../archive/pgbackrest.ts";
import { docker } from "../docker/run.ts";
import { oldFolder } from "./reader.ts";
import { refuseRecovery } from "./refusals.ts";
import type { RecoveryPlan } from "./types.ts";
import { formatLsn } from "./wal.ts";

/** What is restored, and how far it is replayed when the server starts. */
export type Restoration = Pick<RecoveryPlan, "backup" | "target" | "timeline" | "parameters">;

/**
 * Restores a base backup into the data directory of a container that waits, which must be empty, and sets it up to replay up to the
 * target and pause there. Refuses `NO_SPACE` and `MANIFEST_BAD`.
 */
export async function restoreBackup(
  container: string,
  cluster: OwnCluster,
  secrets: Secrets,
  restoration: Restoration,
): Promise<void> {
  const config = "/dev/shm/pgbackrest.conf";
  await writeConfiguration(container, config, archiveConfiguration(cluster.backup, secrets));
  try {
    await runArchive(container, pgbackrest(config, "restore", restoreOptions(restoration)));
  } catch (error) {
    const words = error instanceof Refusal ? error.details.found : "";
    throw refuseRecovery(
      /no space left/i.test(words) ? "NO_SPACE" : "MANIFEST_BAD",
      `the base backup ${restoration.backup.label} cannot be restored: ${words}`,
      "Choose a target after another base backup, or restore a dump. Make a new base backup now:  npx rollback backup --type full",
      error,
    );
  }
  await writeConfiguration(container, serverConfig, archiveConfiguration(cluster.backup, secrets));
  await addSettings(
    container,
    [...restoration.parameters].map(([name, value]) => [name, String(value)]),
  );
}

/** Appends settings to what `ALTER SYSTEM` wrote: of several for one name the last counts. */
export async function addSettings(
  container: string,
  settings: readonly (readonly [string, string])[],
): Promise<void> {
  const script = `cat >> ${dataFolder}/postgresql.auto.conf`;
  const input = settings.map(([name, value]) => `${name} = '${value}'\n`).join("");
  await docker(["exec", "-i", "-u", "postgres", container, "sh", "-c", script], { input });
}

/** Options of `pgbackrest restore`; pure. The set is always named: by itself pgBackRest takes the newest for some targets. */
function restoreOptions({ backup, target, timeline }: Restoration): string[] {
  const get = `pgbackrest --config=${dataFolder}/${archiveConfigName} --stanza=main archive-get %f "%p"`;
  return [
    ...[`--set=${backup.label}`, "--type=lsn", `--target=${formatLsn(target.lsn)}`],
    ...(target.inclusive ? [] : ["--target-exclusive"]),
    ...[`--target-timeline=${timeline}`, "--target-action=pause"],
    // What a killed source did not archive is still on its volume.
    `--recovery-option=restore_command=${get} || cp ${oldFolder}/pg_wal/%f "%p"`,
  ];
}
