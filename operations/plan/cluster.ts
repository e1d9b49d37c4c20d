import { createHash } from "node:crypto";
import type { Settings } from "../../settings/types.ts";

/**
 * A hash of what forces a new container for PostgreSQL, kept as the label `rollback.inputs`. When it differs from the
 * observed one the server will stop, and what stops a server is fenced first. Holds no secret.
 */
export function clusterHash({ cluster }: Settings): string {
  const inputs =
    cluster.kind === "own"
      ? [cluster.image, cluster.volume, cluster.port, cluster.address, cluster.backup.repository]
      : [];
  return createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 12);
}
