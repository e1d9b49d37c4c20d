import { waitUntilReady } from "../database/connection.ts";
import type { ObservedContainer } from "../docker/observe.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { docker } from "../docker/run.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import { waitForRecovery } from "../recovery/instance.ts";
import { access } from "./access.ts";
import { reservedAddress } from "./addresses.ts";
import { clusterHash } from "./cluster.ts";

/** Milliseconds; a server that was not stopped cleanly replays its log first. */
const deadline = 120_000;

export interface Waking {
  readonly network: { readonly subnet: string; readonly exists: boolean };
  /** Volume with the data, for a container that is gone. */
  readonly volume: string;
  readonly say: (line: string) => void;
}

/**
 * A server whose data is there but which does not run is started, so that the run can be planned from what it holds
 * instead of from nothing. A stopped container is started; a missing one is made again on the volume, just as the
 * engine would make it. Returns what was done, or undefined when there was nothing to start or it did not come up (an
 * empty volume, for one): then the run goes on as if the server were not there yet.
 */
export async function wakeServer(
  settings: Settings,
  containers: readonly ObservedContainer[],
  { network, volume, say }: Waking,
): Promise<string | undefined> {
  if (settings.cluster.kind !== "own") return undefined;
  const cluster = { ...settings.cluster, volume };
  const { postgres } = stackNames(settings);
  const found = containers.find(({ name }) => name === postgres);
  if (found?.running === true) return undefined;
  const existing = await withoutHalfMade(found);
  say(
    `${postgres} does not run: starting it on ${existing === undefined ? volume : "its volume"} to see what it holds`,
  );
  await docker(
    existing === undefined ? wakeArguments({ ...settings, cluster }, cluster, network) : ["start", postgres],
  );
  try {
    const inVain = (): Promise<void> => refuseIfInVain(postgres);
    await waitUntilReady(access(settings), deadline, say, { hopeless: inVain });
    // One that was told to open a new timeline, and has not been started since, can only be read from until it has.
    await waitForRecovery(access(settings), ({ recovering }) => !recovering, deadline, inVain);
  } catch (error) {
    if (existing === undefined) await docker(["rm", "-f", postgres]);
    say(
      `it did not come up: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`,
    );
    return undefined;
  }
  return existing === undefined ? "the server's container is made again" : undefined;
}

/**
 * A container that was made and never started is what a killed run left of it, perhaps without its network: nobody would
 * reach it, and it holds nothing that is not on the volume.
 */
async function withoutHalfMade(found: ObservedContainer | undefined): Promise<ObservedContainer | undefined> {
  if (found === undefined || found.startedAt > 0) return found;
  await docker(["rm", found.id]);
  return undefined;
}

/** `docker run` for the server as the engine makes it, but for the first start: it never initialises a volume. */
export function wakeArguments(
  settings: Settings,
  cluster: OwnCluster,
  network: { readonly subnet: string; readonly exists: boolean },
): string[] {
  const names = stackNames(settings);
  const { repository } = cluster.backup;
  const dumps = "volume" in repository ? repository.volume : repository.folder;
  const labels = stackLabels(settings, "postgres", { inputs: clusterHash(settings) });
  return [
    ...["run", "-d", "--name", names.postgres, "--restart", "unless-stopped", "--stop-signal", "SIGINT"],
    ...["--shm-size", "256m", "-p", `${cluster.address}:${cluster.port}:5432`],
    ...Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    ...(network.exists
      ? ["--network", names.network, "--ip", reservedAddress(network.subnet, "postgres")]
      : []),
    ...["-v", `${cluster.volume}:/var/lib/postgresql/data`, "-v", `${dumps}:/var/lib/dumps`, cluster.image],
  ];
}
