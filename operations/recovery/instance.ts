import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { z } from "zod";
import { dataFolder } from "../../settings/archive.ts";
import type { Refusal } from "../../settings/refusal.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { Server } from "../database/connection.ts";
import { waitUntilReady, withClient } from "../database/connection.ts";
import { rowOf } from "../database/query.ts";
import { docker, isMissing } from "../docker/run.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { access } from "../plan/access.ts";
import { oldFolder, repositoryMount } from "./reader.ts";
import { refuseRecovery } from "./refusals.ts";

/** A server of our own on a volume that nobody serves from yet. */
export interface Instance {
  /** Its id and not its name, under which a later run may have one of its own. */
  readonly container: string;
  /** As this program reaches it: a port on loopback that Docker chose. */
  readonly server: Server;
}

/** What a server beside the one that serves is for. */
export type InstancePurpose = "recovering" | "rebuilding";

/** Name of the one such container of a stack: what a killed run left is found under it. */
export function instanceName(settings: Settings, purpose: InstancePurpose = "recovering"): string {
  return stackNames(settings).volume(purpose);
}

export interface InstanceRequest {
  readonly settings: Settings;
  /** Default: `recovering`. */
  readonly purpose?: InstancePurpose;
  readonly cluster: OwnCluster;
  readonly volume: string;
  /** Volume recovered from, mounted read-only at `/old`; undefined: not needed any more. */
  readonly from: string | undefined;
  readonly repository: "ro" | "rw";
  /** Starts the server (default true); else the container only waits for commands. */
  readonly serve?: boolean;
  /** Id of the container that this run has had for it until now; undefined: what a killed run left is removed. */
  readonly instead?: string;
}

/**
 * Makes the container anew on the volume and, if it serves, waits until it answers. With `instead` it fails when another run
 * has taken its name meanwhile.
 */
export async function startInstance(request: InstanceRequest): Promise<Instance> {
  const { settings, cluster, volume, from, repository, serve = true } = request;
  const name = instanceName(settings, request.purpose);
  await removeInstance(request.instead ?? name);
  const labels = stackLabels(settings, "recovery");
  const container = await docker([
    ...["run", "-d", "--name", name, "--stop-signal", "SIGINT", "--shm-size", "512m", "--init"],
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...["-v", `${volume}:${dataFolder}`, ...repositoryMount(cluster.backup.repository, repository)],
    ...(from === undefined ? [] : ["-v", `${from}:${oldFolder}:ro`]),
    ...["-p", "127.0.0.1::5432", cluster.image, ...(serve ? [] : ["sleep", "86400"])],
  ]);
  try {
    const server = { ...access(settings), host: "127.0.0.1", port: await portOf(container) };
    if (serve)
      await waitUntilReady(server, 10 * 60_000, () => undefined, {
        hopeless: () => refuseIfInVain(container),
      });
    return { container, server };
  } catch (error) {
    const full = await saysDiskFull(container);
    await removeInstance(container);
    throw full ? diskFull(volume, error) : error;
  }
}

/** Whether the server in it has found its disk full: how it ends then, and what its clients get to hear, differs. */
export async function saysDiskFull(container: string): Promise<boolean> {
  try {
    const log = await docker(["logs", "--tail", "200", container], { errorsToo: true });
    return /no space left on device/i.test(log);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The Refusal `NO_SPACE` of a recovery that has filled its volume. */
export function diskFull(volume: string, cause: unknown): Refusal {
  return refuseRecovery(
    "NO_SPACE",
    `the disk of ${volume} was full before the recovery came to its target.`,
    "Make room there, then run `pulumi up` again: the recovery is begun anew.",
    cause,
  );
}

/** Stops it cleanly, so that its last segment is archived, and removes it. Nothing to do when there is none. */
export async function removeInstance(container: string): Promise<void> {
  try {
    await docker(["stop", "--time", "60", container], { timeoutMs: 120_000 });
    await docker(["rm", "-f", container]);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function portOf(container: string): Promise<number> {
  const printed = await docker(["port", container, "5432/tcp"]);
  return Number(/:(\d+)$/m.exec(printed)?.[1]);
}

const stateSchema = z.object({
  recovering: z.boolean(),
  paused: z.boolean(),
  replayed: z.string().nullable(),
  lastCommit: z.string().nullable(),
});
export type RecoveryState = z.output<typeof stateSchema>;

/** Where a recovering server is. */
export async function recoveryState(server: Server): Promise<RecoveryState> {
  return withClient(server, "postgres", stateOn);
}

function stateOn(client: ClientBase): Promise<RecoveryState> {
  return rowOf(
    client,
    stateSchema,
    `select pg_is_in_recovery() as recovering,
            case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() = 'paused' else false end as paused,
            pg_last_wal_replay_lsn()::text as replayed,
            to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as "lastCommit"`,
  );
}

/**
 * Asks again until `done`, for at most `deadlineMs`. Somebody may be waiting, so it asks often, over one connection. `watch` is
 * called about once a second. @returns the last state.
 */
export async function waitForRecovery(
  server: Server,
  done: (state: RecoveryState) => boolean,
  deadlineMs: number,
  watch: () => Promise<void> = () => Promise.resolve(),
): Promise<RecoveryState> {
  const end = performance.now() + deadlineMs;
  return withClient(server, "postgres", async (client) => {
    let watched = performance.now();
    for (let pause = 25; ; pause = Math.min(pause * 2, 200)) {
      const state = await stateOn(client).catch(async (error: unknown) => {
        // A server that has ended has its own last words.
        await watch();
        throw error;
      });
      if (done(state) || performance.now() > end) return state;
      if (performance.now() - watched > 1000) {
        await watch();
        watched = performance.now();
      }
      await sleep(pause);
    }
  });
}
