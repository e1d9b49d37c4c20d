import { z } from "zod";
import { dataFolder } from "../../settings/archive.ts";
import { ownerRole } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import { rolePassword, scramVerifier } from "../../settings/secrets.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { Database, OwnCluster, Settings, Takeover } from "../../settings/types.ts";
import { takeDump, type Dump } from "../backup/dump.ts";
import { withHelper } from "../backup/place.ts";
import { withClient, type Server } from "../database/connection.ts";
import { rowsOf } from "../database/query.ts";
import { docker, DockerFailure, isMissing } from "../docker/run.ts";
import { instanceName, removeInstance, startInstance } from "../recovery/instance.ts";
import { resort } from "./collations.ts";
import { foreignAccess } from "./foreign.ts";
import { handOver } from "./hand-over.ts";
import { inspectForeign, usersOf } from "./inspect.ts";
import type { TakeoverState } from "./state.ts";

type Say = (line: string) => void;

/** A verified dump of the configured databases from the foreign server, while that still serves. */
export async function dumpForeign(
  settings: Settings,
  { server: container }: Takeover,
  found: NonNullable<TakeoverState["server"]>,
  revision: string,
  say: Say,
): Promise<Dump | undefined> {
  const [foreign] = await inspectForeign([container]);
  if (foreign === undefined || found.versions.size === 0) return undefined;
  const server = await foreignAccess(foreign);
  const [network, address] = [...foreign.networks].find(([, each]) => each !== "") ?? [];
  const { repository, retention } = settings.cluster.backup;
  if ("volume" in repository) await makeVolume(settings, repository.volume);
  return withHelper(
    {
      image: settings.cluster.image,
      repository,
      // In the server's own network: what it publishes to this machine's loopback is out of a container's reach.
      server: { ...server, host: address ?? server.host, port: address === undefined ? server.port : 5432 },
      network,
      prefix: stackNames(settings).network,
      labels: stackLabels(settings, "dump"),
    },
    (place) =>
      takeDump({
        place,
        server,
        stack: stackNames(settings).network,
        revision,
        releases: [],
        databases: found.versions,
        keep: retention.dumps,
        say,
      }),
  );
}

/** With the labels that the engine would give it. */
async function makeVolume(settings: Settings, name: string): Promise<void> {
  const labels = Object.entries(stackLabels(settings, "volume", { volume: "dumps" }));
  await docker([
    ...["volume", "create", ...labels.flatMap(([key, value]) => ["--label", `${key}=${value}`])],
    name,
  ]);
}

/**
 * Stops the containers, the server last, each within its own time, and keeps Docker from starting them again, which it
 * would do with `restart: always` when it is itself restarted. They stay as they are otherwise.
 */
export async function stopForeign(running: TakeoverState["running"], say: Say): Promise<void> {
  for (const { name, seconds } of running) {
    await docker(["update", "--restart", "no", name]);
    await docker(["stop", "--time", String(seconds), name], { timeoutMs: (seconds + 60) * 1000 });
    say(`stopped ${name}`);
  }
}

/**
 * Makes the data ready for the stack's own server: its files belong to that server's user, it has the stack's superuser and
 * access rules, the databases belong to their owner roles, and indexes are sorted by the rules of the new operating system.
 * Safe to repeat. Throws Refusals `TAKEOVER_IN_USE` and `TAKEOVER_DATA`.
 */
export async function prepareData(settings: Settings, cluster: OwnCluster, say: Say): Promise<void> {
  // Of a run that was killed in here; the files survive that as they survive any crash.
  await removeInstance(instanceName(settings));
  await removeHelper(settings);
  const users = await usersOf(cluster.volume);
  if (users.length > 0) {
    throw new Refusal({
      code: "TAKEOVER_IN_USE",
      found: `the data volume ${cluster.volume} is in use by ${users.join(", ")}.`,
      untouched: "The data was left alone.",
      next: `docker stop ${users.join(" ")}  and then \`pulumi up\` again.`,
    });
  }
  await ownFiles(settings, cluster);
  const { project, stack, secrets } = settings;
  const verifier = scramVerifier(rolePassword(secrets, "postgres"), `${project}/${stack}`);
  await onVolume(settings, cluster, ["rollback-adopt"], [], `${verifier}\n`);
  const { server, container } = await startInstance({
    settings,
    cluster,
    volume: cluster.volume,
    from: undefined,
    repository: "rw",
  });
  try {
    for (const database of await existing(settings, server)) {
      const { objects, left } = await handOver(server, database);
      if (objects > 0)
        say(`${database.name}: ${objects} objects belong to ${ownerRole(database.name)} from now on`);
      if (left.length > 0)
        say(`${database.name}: left to the superuser with whose rights they act: ${left.join(", ")}`);
    }
    for (const { database, indexes } of await resort(server, say))
      say(`${database}: ${indexes} indexes were built anew, as the new image sorts texts by other rules`);
  } finally {
    await removeInstance(container);
  }
}

/** Name of the passing container that changes files of the volume. */
function helperName(settings: Settings): string {
  return stackNames(settings).volume("adopting");
}

async function removeHelper(settings: Settings): Promise<void> {
  try {
    await docker(["rm", "-f", helperName(settings)]);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Containers of ours that a killed run may have left on the volume. */
export function passingContainers(settings: Settings): string[] {
  return [instanceName(settings), helperName(settings)];
}

/** Databases of the stack that the data has; others are made by the engine. */
async function existing({ databases }: Settings, server: Server): Promise<Database[]> {
  const found = await withClient(server, "postgres", (client) =>
    rowsOf(client, z.object({ name: z.string() }), "select datname as name from pg_database"),
  );
  return found.flatMap(({ name }) => databases.get(name) ?? []);
}

/** Images differ in the user that PostgreSQL runs as: 999 with Debian's, 70 with Alpine's. */
async function ownFiles(settings: Settings, cluster: OwnCluster): Promise<void> {
  const script = `[ "$(stat -c %u .)" = "$(id -u postgres)" ] || { chown -R postgres:postgres . && chmod 0700 .; }`;
  await onVolume(
    settings,
    cluster,
    ["-c", `cd ${dataFolder} && ${script}`],
    ["--user", "0", "--entrypoint", "sh"],
  );
}

async function onVolume(
  settings: Settings,
  { volume, image }: OwnCluster,
  command: readonly string[],
  options: readonly string[],
  input = "",
): Promise<void> {
  const container = ["--name", helperName(settings), "--network", "none", "-v", `${volume}:${dataFolder}`];
  try {
    await docker(["run", "--rm", "-i", ...container, ...options, image, ...command], {
      input,
      timeoutMs: 60 * 60_000,
    });
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    throw new Refusal({
      code: "TAKEOVER_DATA",
      found: `the data in volume ${volume} cannot be made ready for the stack's server: ${error.stderr}`,
      untouched: "No row was changed; the containers that served until now are stopped.",
      next: "Mend what is named, then `pulumi up` again; or start them again with `docker start`, the server first.",
      cause: error,
    });
  }
}
