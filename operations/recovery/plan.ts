import { createHash } from "node:crypto";
import type { OwnCluster, Recovery, Settings } from "../../settings/types.ts";
import { access } from "../plan/access.ts";
import type { World } from "../plan/world.ts";
import { parametersOf } from "./checks.ts";
import { schemaAt } from "./facts.ts";
import { locateTarget, withArchive, type Archived } from "./locate.ts";
import { lossesOf } from "./losses.ts";
import type { RecoveryPlan } from "./types.ts";
import { parseLsn } from "./wal.ts";

/** Works out where a recovery ends, or refuses it. Reads only. */
export async function planRecovery(
  settings: Settings,
  cluster: OwnCluster,
  recovery: Recovery,
  schema: World["schema"],
): Promise<RecoveryPlan> {
  return withArchive(settings, cluster, recovery.from, (archive) =>
    planWith(settings, recovery, schema, archive),
  );
}

async function planWith(
  settings: Settings,
  recovery: Recovery,
  schema: World["schema"],
  archive: Archived,
): Promise<RecoveryPlan> {
  const server = access(settings);
  const { backup, compiled, contents } = await locateTarget(settings, recovery.target, archive);
  const databases = [...settings.databases.values()].filter(({ name }) => schema.get(name)?.exists === true);
  return {
    ...{ id: planId(compiled, archive.timeline, backup.label), volume: recovery.volume, from: recovery.from },
    ...{ backup, target: compiled, timeline: archive.timeline, lost: compiled.lost },
    losses: await lossesOf(server, databases, contents.writes, compiled.lost),
    walBytes: Number(compiled.lsn - parseLsn(backup.startLsn)),
    schema: await schemaAt(server, settings, schema, compiled.lost),
    left: new Map([...schema].map(([name, { version }]) => [name, version])),
    parameters: parametersOf(archive.control),
  };
}

function planId({ lsn, inclusive }: RecoveryPlan["target"], timeline: number, label: string): string {
  const place = JSON.stringify([String(lsn), inclusive, timeline, label]);
  return createHash("sha256").update(place).digest("hex").slice(0, 16);
}
