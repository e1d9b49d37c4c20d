import { createHash } from "node:crypto";
import type { OwnCluster, Recovery, Settings } from "../../settings/types.ts";
import { access } from "../plan/access.ts";
import { parsePreparedName } from "../migrations/two-phase.ts";
import type { World } from "../plan/world.ts";
import { seenIn } from "./again.ts";
import { checkParameters, highestParameters, parametersOf } from "./checks.ts";
import type { CompiledTarget } from "./compile.ts";
import { schemaAt, type Kept } from "./facts.ts";
import { locateTarget, withArchive, type Archived } from "./locate.ts";
import { lossesOf } from "./losses.ts";
import type { RecoveryPlan } from "./types.ts";
import { halfDone } from "./refusals.ts";
import type { WalContents } from "./read.ts";
import { standIn, timelineAt } from "./segments.ts";
import { parseLsn, type Prepared } from "./wal.ts";

/**
 * Works out where a recovery ends, or refuses it. Reads only. `free`: bytes on the new volume, if that is there already.
 */
export async function planRecovery(
  settings: Settings,
  cluster: OwnCluster,
  recovery: Recovery,
  { schema, free }: { readonly schema: World["schema"]; readonly free: number | undefined },
): Promise<RecoveryPlan> {
  const work = (archive: Archived): Promise<RecoveryPlan> =>
    planWith(settings, cluster, recovery, schema, archive);
  return withArchive(settings, cluster, recovery.from, work, free);
}

async function planWith(
  settings: Settings,
  cluster: OwnCluster,
  recovery: Recovery,
  schema: World["schema"],
  archive: Archived,
): Promise<RecoveryPlan> {
  const server = access(settings);
  const { backup, compiled, contents, gap } = await locateTarget(settings, recovery.target, archive, {
    gapAfter: recovery.laterWrites === "drop",
  });
  const parameters = highestParameters(parametersOf(archive.control), contents.parameters);
  checkParameters(cluster, parameters);
  const half = openAt(contents, compiled).filter(({ gid }) => parsePreparedName(gid) !== undefined);
  if (half.length > 0) throw halfDone(half.map(({ gid }) => gid));
  const databases = [...settings.databases.values()].filter(({ name }) => schema.get(name)?.exists === true);
  // The one that the target lies on: told to follow a later one, PostgreSQL would write a history that leads through what it never reached.
  const timeline = timelineAt(archive.way, compiled.lsn);
  return {
    ...{ id: planId(compiled, timeline, backup.label), volume: recovery.volume, from: recovery.from },
    ...{ backup, target: compiled, timeline, lost: compiled.lost, gap },
    standIn: standIn(archive.way, compiled.lsn, archive.archived),
    losses: await lossesOf(server, databases, contents.writes, compiled.lost),
    seen: seenIn(archive.way, parseLsn(backup.startLsn), contents, compiled.lost),
    walBytes: Number(compiled.lsn - parseLsn(backup.startLsn)),
    schema: await schemaAt(
      server,
      settings,
      schema,
      compiled.lost,
      gap === undefined ? undefined : keptOf(contents, compiled, backup.stoppedAt),
    ),
    left: new Map([...schema].map(([name, { version }]) => [name, version])),
    parameters,
  };
}

/** What is known of the transactions that are kept, where those that are not are not all known. Pure. */
function keptOf({ endings }: WalContents, { last, lost }: CompiledTarget, stoppedAt: number): Kept {
  const left = new Set(lost.map(({ xid }) => xid));
  return {
    xids: endings.filter(({ xid }) => !left.has(xid)).flatMap(({ xid, subxids }) => [xid, ...subxids]),
    until: last === undefined ? new Date(stoppedAt).toISOString() : `${last.time}+00`,
  };
}

function planId({ lsn, inclusive }: RecoveryPlan["target"], timeline: number, label: string): string {
  const place = JSON.stringify([String(lsn), inclusive, timeline, label]);
  return createHash("sha256").update(place).digest("hex").slice(0, 16);
}

/** Transactions that are prepared at the target, and neither committed nor rolled back. Pure. */
export function openAt(
  { prepared, endings }: Pick<WalContents, "prepared" | "endings">,
  { lsn: end, inclusive }: Pick<CompiledTarget, "lsn" | "inclusive">,
): Prepared[] {
  const kept = ({ lsn }: { readonly lsn: bigint }): boolean => lsn < end || (inclusive && lsn === end);
  return prepared
    .filter(kept)
    .filter(({ xid, lsn }) => !endings.some((each) => each.xid === xid && each.lsn > lsn && kept(each)));
}
