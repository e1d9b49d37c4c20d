import { z } from "zod";
import { archiveConfigName, dataFolder } from "../../settings/archive.ts";
import { Refusal } from "../../settings/refusal.ts";
import { stackLabel } from "../../settings/names.ts";
import { stackLabels } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import {
  archiveConfiguration,
  runArchive,
  serverConfig,
  writeConfiguration,
  pgbackrest,
} from "../archive/pgbackrest.ts";
import type { Say } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { rowsOf } from "../database/query.ts";
import { docker } from "../docker/run.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { removeInstance, startInstance, waitForRecovery, type Instance } from "./instance.ts";
import { readMark, writeMark } from "./mark.ts";
import type { RecoveryPlan } from "./types.ts";
import { oldFolder } from "./reader.ts";
import { refuseRecovery } from "./refusals.ts";
import { formatLsn, parseLsn } from "./wal.ts";

export interface RecoveryRequest {
  readonly settings: Settings;
  readonly cluster: OwnCluster;
  readonly plan: RecoveryPlan;
  readonly say: Say;
}

/**
 * Restores into the new volume, replays up to the target and stays paused there, all beside the server that goes on serving;
 * proves that it is where it was meant to be. What goes wrong is refused, and nothing has stopped. The volume must be new,
 * or be one on which this stack has begun a recovery before: that is begun anew.
 */
export async function prepareRecovery(request: RecoveryRequest): Promise<Instance> {
  const { settings, cluster, plan, say } = request;
  const labels = stackLabels(settings, "volume", { volume: "data" });
  await docker([
    ...[
      "volume",
      "create",
      ...Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    ],
    plan.volume,
  ]);
  const common = { settings, cluster, volume: plan.volume, from: plan.from, repository: "ro" } as const;
  const { container } = await startInstance({ ...common, serve: false });
  try {
    await emptyVolume(container, settings, plan);
    await writeMark(container, { stack: stackLabel(settings), plan: plan.id, state: "begun" });
    const started = performance.now();
    await restore(container, request);
    say(
      `restored ${plan.backup.label} into ${plan.volume} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    const instance = await startInstance(common);
    await pausedAtTarget(instance, request);
    await refuseHalfDone(instance, settings);
    say(`replayed to ${formatLsn(plan.target.lsn)} and paused there`);
    return instance;
  } catch (error) {
    await removeInstance(settings);
    throw error;
  }
}

async function emptyVolume(container: string, settings: Settings, plan: RecoveryPlan): Promise<void> {
  const { files, mark } = await readMark(container);
  if (files === 0) return;
  if (mark === undefined || mark.stack !== stackLabel(settings) || mark.state === "served") {
    throw refuseRecovery(
      "VOLUME_NOT_EMPTY",
      `${plan.volume} holds something already, and not an unfinished recovery of this stack.`,
      "Name a new volume:  rollback:recovery.volume (and rollback:cluster.volume)",
    );
  }
  await docker(["exec", "-u", "postgres", container, "find", dataFolder, "-mindepth", "1", "-delete"], {
    timeoutMs: 600_000,
  });
}

async function restore(container: string, { settings, cluster, plan }: RecoveryRequest): Promise<void> {
  const config = "/dev/shm/pgbackrest.conf";
  await writeConfiguration(container, config, archiveConfiguration(cluster.backup, settings.secrets));
  const mark = `${dataFolder}/rollback-recovery.json`;
  // pgBackRest restores only into an empty folder; the mark waits outside meanwhile.
  await docker(["exec", "-u", "postgres", container, "mv", mark, "/dev/shm/mark"]);
  try {
    await runArchive(container, pgbackrest(config, "restore", restoreOptions(plan)));
  } catch (error) {
    const words = error instanceof Refusal ? error.details.found : "";
    await docker(["exec", "-u", "postgres", container, "mv", "/dev/shm/mark", mark]);
    throw refuseRecovery(
      /no space left/i.test(words) ? "NO_SPACE" : "MANIFEST_BAD",
      `the base backup ${plan.backup.label} cannot be restored: ${words}`,
      "Choose a target after another base backup, or restore a dump. Make a new base backup now:  npx rollback backup --type full",
      error,
    );
  }
  await docker(["exec", "-u", "postgres", container, "mv", "/dev/shm/mark", mark]);
  await writeConfiguration(container, serverConfig, archiveConfiguration(cluster.backup, settings.secrets));
  const raised = [...plan.parameters].map(([name, value]) => `${name} = ${value}\n`).join("");
  await docker(
    ["exec", "-i", "-u", "postgres", container, "sh", "-c", `cat >> ${dataFolder}/postgresql.auto.conf`],
    {
      input: raised,
    },
  );
}

/** Options of `pgbackrest restore`; pure. The set is always named: by itself pgBackRest takes the newest for some targets. */
export function restoreOptions({ backup, target, timeline }: RecoveryPlan): string[] {
  const get = `pgbackrest --config=${dataFolder}/${archiveConfigName} --stanza=main archive-get %f "%p"`;
  return [
    ...[`--set=${backup.label}`, "--type=lsn", `--target=${formatLsn(target.lsn)}`],
    ...(target.inclusive ? [] : ["--target-exclusive"]),
    ...[`--target-timeline=${timeline}`, "--target-action=pause"],
    // What a killed source did not archive is still on its volume.
    `--recovery-option=restore_command=${get} || cp ${oldFolder}/pg_wal/%f "%p"`,
  ];
}

/** Milliseconds for replay: it takes as long as it takes, but a server that has ended is not waited for. */
const patience = 24 * 3600_000;

async function pausedAtTarget({ container, server }: Instance, { plan }: RecoveryRequest): Promise<void> {
  const { target } = plan;
  const state = await waitForRecovery(
    server,
    ({ paused, recovering }) => paused || !recovering,
    patience,
    () => refuseIfInVain(container),
  );
  const replayed = parseLsn(state.replayed ?? "0/0");
  const right = target.inclusive ? replayed > target.lsn : replayed <= target.lsn;
  const commit = target.lastTime;
  if (
    state.paused &&
    right &&
    (commit === undefined || state.lastCommit === null || commit === state.lastCommit)
  )
    return;
  throw refuseRecovery(
    "RECOVERY_MISSED",
    `recovery did not stop where it was planned: planned ${formatLsn(target.lsn)} after ${commit ?? "no commit"}, ${state.paused ? "paused" : "not paused"} at ${state.replayed ?? "?"} after ${state.lastCommit ?? "no commit"}.`,
    "This is a defect of this program or of the archive; the volume in use serves on. Choose another target.",
  );
}

/** A target in the middle of a schema change over several databases would leave them apart. */
async function refuseHalfDone({ server }: Instance, settings: Settings): Promise<void> {
  const half = await withClient(server, "postgres", (client) =>
    rowsOf(
      client,
      z.object({ gid: z.string(), database: z.string() }),
      "select gid, database from pg_prepared_xacts where gid like 'rollback:%' and database = any($1)",
      [[...settings.databases.keys()]],
    ),
  );
  if (half.length === 0) return;
  throw refuseRecovery(
    "ROLLBACK_IN_PROGRESS",
    `the target lies in the middle of a schema change over several databases: ${half.map(({ database }) => database).join(", ")} would be left behind.`,
    "Choose the restore point before that run, or a moment after it.",
  );
}
