import { stackLabel } from "../../../settings/names.ts";
import { Refusal } from "../../../settings/refusal.ts";
import { stackNames } from "../../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../../settings/types.ts";
import { isRunning, observeContainers } from "../../docker/observe.ts";
import { instanceName } from "../instance.ts";
import { refuseWithoutArchive } from "../locate.ts";
import { refuseRecovery } from "../refusals.ts";

/**
 * The volume of the server that does not start; `named` where no container is left to tell. Refuses a server that runs, or that Docker
 * keeps starting: what it still writes would be missing. Refuses as well `ARCHIVE_OFF`, a volume onto itself, and a second rebuild.
 */
export async function sourceDown(
  settings: Settings,
  cluster: OwnCluster,
  { named, into }: { readonly named: string | undefined; readonly into: string },
): Promise<string> {
  refuseWithoutArchive(cluster);
  const { postgres, network } = stackNames(settings);
  const containers = await observeContainers(stackLabel(settings), network);
  const container = containers.find(({ name }) => name === postgres);
  if (container?.running === true || container?.restarting === true) {
    throw refuseRecovery(
      "SOURCE_RUNS",
      `${postgres} runs, or Docker keeps starting it.`,
      `It may just be replaying its own log:  docker logs --tail 5 ${postgres}\n  If it works, recover by rollback:recovery; if it never will:  docker stop ${postgres}`,
    );
  }
  const from = named ?? container?.dataVolume ?? settings.recovery?.from ?? cluster.volume;
  if (from === into) {
    throw refuseRecovery(
      "VOLUME_NOT_EMPTY",
      `${into} is the volume of the server that does not start; it is only read.`,
      "Name a new volume:  --into NEW_VOLUME",
    );
  }
  const other = instanceName(settings, "rebuilding");
  if (await isRunning(other)) {
    throw new Refusal({
      code: "RUN_IN_PROGRESS",
      found: `${other} runs: another rebuild is at work, or was killed.`,
      untouched: "Nothing was done.",
      next: `Wait for it; if its program is gone:  docker rm -f ${other}`,
    });
  }
  return from;
}
