import { dataFolder, stanza } from "../../settings/archive.ts";
import { stackLabel } from "../../settings/names.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import { configureArchive, serverConfig } from "../archive/pgbackrest.ts";
import { docker } from "../docker/run.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { access } from "../plan/access.ts";
import type { World } from "../plan/world.ts";
import { seenIn } from "./again.ts";
import { currentPosition, schemaAt, schemaLeftOn } from "./facts.ts";
import { removeInstance, startInstance, waitForRecovery, type Instance } from "./instance.ts";
import { lossesOf } from "./losses.ts";
import { readMark } from "./mark.ts";
import { controlData, readHistory, withReader } from "./reader.ts";
import { readWal } from "./read.ts";
import type { UndoPlan } from "./types.ts";
import { refuseRecovery } from "./refusals.ts";
import { branches, segmentName, segmentStart, type Branch } from "./segments.ts";

/** Works out what going to that volume, which holds a cluster, would leave behind. Refuses `WRONG_CLUSTER` and `WAL_GAP`. */
export async function planUndo(
  settings: Settings,
  cluster: OwnCluster,
  from: string,
  world: Pick<World, "schema">,
): Promise<UndoPlan> {
  const names = stackNames(settings);
  const common = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets },
    ...{ prefix: names.network, labels: stackLabels(settings, "recovery") },
  };
  const there = await withReader({ ...common, from: cluster.volume }, async (reader) => {
    const control = await controlData(reader);
    const timeline = Number(control.get("Latest checkpoint's TimeLineID"));
    return { control, timeline, way: branches(timeline, await readHistory(reader, timeline)) };
  });
  const server = access(settings);
  return withReader({ ...common, from }, async (reader) => {
    const identifier = (await controlData(reader)).get("Database system identifier");
    const other = there.control.get("Database system identifier");
    if (identifier !== other) {
      throw refuseRecovery(
        "WRONG_CLUSTER",
        `${cluster.volume} holds the cluster ${other ?? "?"}, ${from}, which is in use, ${identifier ?? "?"}.`,
        `Name the volume of this stack's own cluster:  rollback:cluster.volume: ${from}`,
      );
    }
    const { timeline, lsn } = await currentPosition(server);
    const way = branches(timeline, await readHistory(reader, timeline));
    const fork = forkOf(way, there.way) ?? lsn;
    const begin = segmentStart(segmentName(timeline, fork));
    const contents = await readWal(reader, way, begin, lsn);
    if ("gap" in contents) {
      throw refuseRecovery(
        "WAL_GAP",
        `what was written to ${from} since it parted from ${cluster.volume} cannot be read: ${contents.gap}.`,
        "Stay on the volume in use, or look at the archive:  npx rollback backup",
      );
    }
    const lost = contents.endings.filter((each) => each.committed && each.lsn >= fork);
    const databases = [...settings.databases.values()].filter(
      ({ name }) => world.schema.get(name)?.exists === true,
    );
    return {
      ...{ volume: cluster.volume, from, timeline: there.timeline, fork, lost },
      losses: await lossesOf(server, databases, contents.writes, lost),
      seen: seenIn(way, begin, contents, lost),
      schema: await schemaLeftOn(
        server,
        cluster.volume,
        await schemaAt(server, settings, world.schema, lost),
      ),
      left: new Map([...world.schema].map(([name, { version: now }]) => [name, now])),
    };
  });
}

/** Where two ways part; undefined: they have no timeline in common. Pure. */
export function forkOf(one: readonly Branch[], other: readonly Branch[]): bigint | undefined {
  const common = one.flatMap(({ timeline, until }, n) =>
    other[n]?.timeline === timeline ? [[until, other[n].until] as const] : [],
  );
  const [mine, theirs] = common.at(-1) ?? [];
  if (mine === undefined || theirs === undefined) return mine ?? theirs;
  return mine < theirs ? mine : theirs;
}

/**
 * Opens a new timeline on the volume, so that a later recovery finds this branch and not the one that is left. Only history files
 * are fetched: with whole segments the volume would replay what was written elsewhere. Repeatable; each time opens one more.
 */
export async function reopenVolume(
  settings: Settings,
  cluster: OwnCluster,
  plan: UndoPlan,
): Promise<Instance> {
  const common = { settings, cluster, volume: plan.volume, from: undefined, repository: "rw" } as const;
  const { container } = await startInstance({ ...common, serve: false });
  let now = container;
  try {
    const { mark } = await readMark(container);
    if (mark !== undefined && mark.state !== "served") {
      throw refuseRecovery(
        "VOLUME_NOT_EMPTY",
        `${plan.volume} holds a recovery of ${stackLabel(settings)} that was never finished.`,
        "Put rollback:recovery back to finish it, or name another volume.",
      );
    }
    const archive = { backup: cluster.backup, secrets: settings.secrets };
    await configureArchive(container, archive, { file: serverConfig });
    await docker(
      [
        "exec",
        "-i",
        "-u",
        "postgres",
        container,
        "sh",
        "-c",
        `cat >> ${dataFolder}/postgresql.auto.conf; touch ${dataFolder}/recovery.signal`,
      ],
      { input: undoSettings(plan.timeline) },
    );
    const instance = await startInstance({ ...common, instead: container });
    now = instance.container;
    await waitForRecovery(
      instance.server,
      ({ recovering }) => !recovering,
      600_000,
      () => refuseIfInVain(instance.container),
    );
    return instance;
  } catch (error) {
    await removeInstance(now);
    throw error;
  }
}

/** Hands out history files only: with whole segments a volume would replay what was written elsewhere. */
export const historyCommand = `case %f in *.history) pgbackrest --config=${serverConfig} --stanza=${stanza} archive-get %f "%p";; *) exit 1;; esac`;

function undoSettings(timeline: number): string {
  return [`restore_command = '${historyCommand}'`, `recovery_target_timeline = '${timeline}'`, ""].join("\n");
}
