import { randomUUID } from "node:crypto";
import { stackLabel } from "../../../settings/names.ts";
import { Refusal } from "../../../settings/refusal.ts";
import { stackNames } from "../../../settings/stack-names.ts";
import type { OwnCluster, RecoveryTarget, Settings } from "../../../settings/types.ts";
import type { Say } from "../../database/connection.ts";
import { observeContainers } from "../../docker/observe.ts";
import { withLock } from "../../lock.ts";
import { access } from "../../plan/access.ts";
import { withArchive, type Archived } from "../locate.ts";
import { lookAt, type Look } from "./look.ts";
import type { LookPlace, Purpose } from "./place.ts";

/** Archive, volume in use, and an instance of one purpose that nobody else moves meanwhile. */
export interface LookSession {
  readonly place: LookPlace;
  readonly archive: Archived;
  readonly from: string;
  /** Brings the instance there. */
  readonly goTo: (target: RecoveryTarget) => Promise<Look>;
}

/** Opens the archive, under a lock of this purpose. Refuses `RUN_IN_PROGRESS` when another call is at work. */
export async function withLook<T>(
  settings: Settings,
  purpose: Purpose,
  say: Say,
  work: (session: LookSession) => Promise<T>,
): Promise<T> {
  const place = { settings, cluster: ownCluster(settings), purpose };
  const from = await volumeInUse(settings, place.cluster);
  // A lock of its own: neither does an `up` wait for somebody who looks, nor the other way round.
  const lock = {
    stack: `${stackLabel(settings)} ${purpose}`,
    run: randomUUID(),
    purpose,
    takeOver: false,
    // Another call may be restoring.
    waitMs: 10 * 60_000,
    say,
  };
  return withLock(access(settings), lock, () =>
    withArchive(settings, place.cluster, from, (archive) =>
      work({ place, archive, from, goTo: (target) => lookAt(place, from, target, archive, say) }),
    ),
  );
}

/** The cluster, if it is ours. */
export function ownCluster({ cluster }: Settings): OwnCluster {
  if (cluster.kind === "own") return cluster;
  throw new Refusal({
    code: "ARCHIVE_OFF",
    found: "the server is not ours: neither its WAL nor base backups can be had from here.",
    untouched: "Nothing was done.",
    next: "Use the restore of whoever runs the server, or a dump.",
  });
}

/** The volume that the server runs on, whatever the configuration says it shall be. */
async function volumeInUse(settings: Settings, cluster: OwnCluster): Promise<string> {
  const names = stackNames(settings);
  const containers = await observeContainers(stackLabel(settings), names.network);
  return containers.find(({ name }) => name === names.postgres)?.dataVolume ?? cluster.volume;
}
