import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { OwnCluster, Settings, Takeover } from "../../settings/types.ts";
import type { ObservedContainer } from "../docker/observe.ts";
import { docker, isMissing } from "../docker/run.ts";
import { stackNames } from "../../settings/stack-names.ts";
import { currentVersions } from "../migrations/observe.ts";
import { connectorTo } from "../plan/schema.ts";
import { passingContainers } from "./carry-out.ts";
import { dataFolderOf, foreignAccess, observeForeign } from "./foreign.ts";
import type { TakeoverState } from "./state.ts";
import { inspectForeign, usersOf, type ForeignContainer } from "./inspect.ts";
import { imageOffers, makeImage, unsuited } from "./suits.ts";

/**
 * Looks at what is to be taken over; changes nothing. Undefined when there is nothing to do: the stack's own server has the
 * data and none of the named containers runs. Throws Refusals `TAKEOVER_…` for what cannot be taken over.
 */
export async function observeTakeover(
  settings: Settings,
  containers: readonly ObservedContainer[],
): Promise<TakeoverState | undefined> {
  const { takeover, cluster } = settings;
  if (takeover === undefined || cluster.kind !== "own") return undefined;
  const named = await inspectForeign([...takeover.containers, takeover.server]);
  const running = named.filter((container) => container.running);
  const ours = containers.some(({ name }) => name === stackNames(settings).postgres);
  if (ours && running.length === 0) return undefined;
  const server = running.find(({ name }) => name === takeover.server);
  await refuseOthers(settings, cluster, takeover);
  return {
    running: running.map(({ name, stopTimeout = 10 }) => ({ name, seconds: stopTimeout })),
    ports: running.flatMap(({ published }) => published.map(({ port }) => port)),
    server: server === undefined || ours ? undefined : await lookInto(settings, cluster, server),
    prepare: !ours,
  };
}

async function lookInto(
  settings: Settings,
  cluster: OwnCluster,
  container: ForeignContainer,
): Promise<NonNullable<TakeoverState["server"]>> {
  await refuseOtherVolume(cluster.volume, container);
  const access = await foreignAccess(container);
  const facts = await observeForeign(container.name, access);
  const problems = unsuited(container, facts, await imageOffers(cluster.image));
  if (problems.length > 0) {
    throw new Refusal({
      code: "TAKEOVER_UNSUITED",
      found: `the stack's server could not serve from the data of ${container.name}: ${problems.join("; ")}.`,
      untouched: "Nothing was stopped.",
      next: makeImage,
    });
  }
  const there = [...settings.databases.values()].filter(({ name }) =>
    facts.databases.some((database) => database.name === name),
  );
  const current = await currentVersions(connectorTo(access, "rollback takeover"), there);
  return { facts, versions: new Map([...current].map(([name, { head }]) => [name, head])) };
}

/** The data that is served now must be that of the volume which the stack will serve from. */
async function refuseOtherVolume(volume: string, container: ForeignContainer): Promise<void> {
  const folder = dataFolderOf(container);
  const mount = container.mounts.find(({ destination }) => destination === folder);
  if (mount?.volume === volume) return;
  if (mount !== undefined && mount.volume === undefined && (await deviceOf(volume)) === mount.source) return;
  throw new Refusal({
    code: "TAKEOVER_VOLUME",
    found: `${container.name} has ${mount === undefined ? "nothing" : (mount.volume ?? mount.source)} mounted at ${folder}, and rollback:cluster.volume is ${volume}.`,
    untouched: "Nothing was stopped.",
    next: "Name the volume that holds the data in rollback:cluster.volume.",
  });
}

const volumes = z.array(z.object({ Options: z.record(z.string(), z.string()).nullish() }));

/** The folder over which a volume lies; undefined: it has a place of its own, or is not there. */
export async function deviceOf(volume: string): Promise<string | undefined> {
  try {
    const [found] = volumes.parse(JSON.parse(await docker(["volume", "inspect", volume])));
    return found?.Options?.["device"];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Two servers on one volume destroy it, and in different containers they do not see one another. */
async function refuseOthers(settings: Settings, { volume }: OwnCluster, { server }: Takeover): Promise<void> {
  const known = [server, stackNames(settings).postgres, ...passingContainers(settings)];
  const others = (await usersOf(volume)).filter((name) => !known.includes(name));
  if (others.length === 0) return;
  throw new Refusal({
    code: "TAKEOVER_IN_USE",
    found: `the data volume ${volume} is in use by ${others.join(", ")} as well.`,
    untouched: "Nothing was stopped.",
    next: `Stop what does not belong there:  docker stop ${others.join(" ")}`,
  });
}
