import { z } from "zod";
import { stackLabel } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import type { Say } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { rowsOf } from "../database/query.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { currentVersions } from "../migrations/observe.ts";
import { connectorTo } from "../plan/schema.ts";
import {
  diskFull,
  removeInstance,
  saysDiskFull,
  startInstance,
  waitForRecovery,
  type Instance,
} from "./instance.ts";
import { writeMark } from "./mark.ts";
import type { RecoveryPlan } from "./types.ts";
import { halfDone, refuseRecovery } from "./refusals.ts";
import { emptyVolume, makeVolume, restoreBesideMark } from "./volume.ts";
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
  await makeVolume(settings, plan.volume);
  const common = { settings, cluster, volume: plan.volume, from: plan.from } as const;
  const { container } = await startInstance({ ...common, repository: "ro", serve: false });
  let now = container;
  try {
    await emptyVolume(container, settings, plan.volume);
    await writeMark(container, { stack: stackLabel(settings), plan: plan.id, state: "begun" });
    const started = performance.now();
    await restoreBesideMark(container, request, plan);
    say(
      `restored ${plan.backup.label} into ${plan.volume} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    // A recovering server archives nothing; once promoted, its history must reach the archive, and behind the fence a restart
    // would have everybody wait until the WAL since the last restart point is replayed again.
    const instance = await startInstance({ ...common, repository: "rw", instead: container });
    now = instance.container;
    await pausedAtTarget(instance, plan);
    await refuseHalfDone(instance, settings);
    if (plan.gap !== undefined) await checkSchema(instance, settings, plan);
    // What is on the disk now need not be written while everybody waits.
    await withClient(instance.server, "postgres", (client) => client.query("checkpoint"));
    say(`replayed to ${formatLsn(plan.target.lsn)} and paused there`);
    return instance;
  } catch (error) {
    const full = !(error instanceof Refusal && error.code === "NO_SPACE") && (await saysDiskFull(now));
    await removeInstance(now);
    throw full ? diskFull(plan.volume, error) : error;
  }
}

/** Milliseconds for replay: it takes as long as it takes, but a server that has ended is not waited for. */
const patience = 24 * 3600_000;

/** Waits until replay has paused, which it does at the target only; refuses `RECOVERY_MISSED` when that is anywhere else. */
export async function pausedAtTarget(
  { container, server }: Instance,
  { target }: Pick<RecoveryPlan, "target">,
): Promise<void> {
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
    // PostgreSQL does not take up the time of the very record at which it stops inclusively.
    (target.inclusive || commit === undefined || state.lastCommit === null || commit === state.lastCommit)
  )
    return;
  throw refuseRecovery(
    "RECOVERY_MISSED",
    `recovery did not stop where it was planned: planned ${formatLsn(target.lsn)} after ${commit ?? "no commit"}, ${state.paused ? "paused" : "not paused"} at ${state.replayed ?? "?"} after ${state.lastCommit ?? "no commit"}.`,
    "This is a defect of this program or of the archive; the volume in use serves on. Choose another target.",
  );
}

/** With a gap the schema at the target was worked out from an incomplete WAL; here it can be read. */
async function checkSchema(
  { server }: Instance,
  settings: Settings,
  { schema }: RecoveryPlan,
): Promise<void> {
  const there = [...settings.databases.values()].filter(({ name }) => schema.get(name) !== undefined);
  const versions = await currentVersions(connectorTo(server, "rollback recovery"), there);
  const other = there.filter(({ name }) => versions.get(name)?.head !== schema.get(name));
  if (other.length === 0) return;
  throw refuseRecovery(
    "RECOVERY_SCHEMA",
    `at the target the schema of ${other.map(({ name }) => `${name} is ${versions.get(name)?.head ?? "0"}, not ${schema.get(name) ?? "0"} as the events say`).join("; ")}.`,
    "Put the missing segment back into the archive, or choose another target.",
  );
}

/** What was prepared before the base backup is not seen in the WAL since; here it is. */
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
  throw halfDone(half.map(({ gid, database }) => `${gid} in ${database}`));
}
