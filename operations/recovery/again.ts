import type { Settings } from "../../settings/types.ts";
import { access } from "../plan/access.ts";
import type { World } from "../plan/world.ts";
import { currentPosition } from "./facts.ts";
import { lossesOf } from "./losses.ts";
import { readWal, type WalContents } from "./read.ts";
import { withServerReader } from "./reader.ts";
import { walGap } from "./refusals.ts";
import type { Branch } from "./segments.ts";
import type { Move, Seen, UndoPlan } from "./types.ts";
import type { Ending } from "./wal.ts";

/** What has to be remembered of a stretch of WAL for a second look. Pure. */
export function seenIn(
  way: readonly Branch[],
  from: bigint,
  contents: WalContents,
  lost: readonly Ending[],
): Seen {
  const ids = ({ xid, subxids }: Ending): string[] => [xid, ...subxids];
  const left = new Set(lost.flatMap(ids));
  const ended = new Set(contents.endings.flatMap(ids));
  return {
    ...{ way, until: contents.last ?? from },
    writes: contents.writes.filter(({ xid }) => left.has(xid) || !ended.has(xid)),
  };
}

/**
 * Counts again what a move leaves behind, now that nobody writes any more: a restore takes its time, and everybody worked
 * meanwhile. Reads only what is newer than the plan.
 */
export async function lookAgain(
  settings: Settings,
  container: string,
  schema: World["schema"],
  { kind, plan }: Move,
): Promise<Pick<UndoPlan, "lost" | "losses">> {
  // Nobody wants what is behind a gap, and it could not be told from what is missing.
  if (kind === "recovery" && plan.gap !== undefined) return { lost: plan.lost, losses: plan.losses };
  const server = access(settings);
  const { way, until, writes } = plan.seen;
  const { lsn } = await currentPosition(server);
  const contents = await withServerReader(container, (reader) =>
    readWal(reader, way, until, lsn, { after: until }),
  );
  if ("gap" in contents) throw walGap(contents.gap);
  const lost = [...plan.lost, ...contents.endings.filter(({ committed }) => committed)];
  const databases = [...settings.databases.values()].filter(({ name }) => schema.get(name)?.exists === true);
  return { lost, losses: await lossesOf(server, databases, [...writes, ...contents.writes], lost) };
}
