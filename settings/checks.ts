/** What only shows when rooms are held against one another. Each check passes over what a room's own mistakes have already spoilt. */
import { checkDatabaseServer } from "./checks/cluster.ts";
import { checkNative } from "./checks/native.ts";
import { checkCatalogue, checkLive } from "./checks/releases.ts";
import { checkReset } from "./checks/reset.ts";
import { checkSecrets } from "./checks/secrets.ts";
import { checkServices } from "./checks/services.ts";
import type { Problem } from "./problems.ts";
import type { Rooms } from "./raw.ts";

export function crossChecks(rooms: Rooms): Problem[] {
  return [
    ...checkCatalogue(rooms),
    ...checkLive(rooms),
    ...checkServices(rooms),
    ...checkNative(rooms),
    ...checkDatabaseServer(rooms),
    ...checkReset(rooms),
    ...checkSecrets(rooms),
  ];
}
