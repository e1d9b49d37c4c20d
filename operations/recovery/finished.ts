import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import { oldFolder, readerShell, withReader } from "./reader.ts";

/** Whether a volume holds a cluster on which no recovery is unfinished. */
export async function holdsFinishedCluster(settings: Settings, cluster: OwnCluster): Promise<boolean> {
  const request = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets, from: cluster.volume },
    ...{ prefix: stackNames(settings).network, labels: stackLabels(settings, "recovery") },
  };
  const script = `test -e "$1/global/pg_control" && ! grep -Eq '"state":"(begun|promoted)"' "$1/rollback-recovery.json" 2>/dev/null && echo yes || true`;
  return withReader(request, async (reader) => (await readerShell(reader, script, [oldFolder])) === "yes");
}
