import { observeServer } from "../database/observe.ts";
import { differingSettings } from "../database/settings.ts";
import {
  observeContainers,
  observeSettled,
  observeSubnet,
  observeSubnets,
  volumeExists,
  type ObservedContainer,
} from "../docker/observe.ts";
import { servingVolume } from "../recovery/finished.ts";
import { instanceName, removeInstance } from "../recovery/instance.ts";
import { observeMove, schemaAfter } from "../recovery/move.ts";
import { observeAbandoned } from "../recovery/reopen.ts";
import { observeReset, schemaAfterReset } from "../reset/observe.ts";
import { recoverPrepared } from "../migrations/two-phase.ts";
import { localImages, neededImages, partImages, pullMissing } from "../preflight/images.ts";
import { observeFront, recordedFront } from "../traffic/front.ts";
import type { Front } from "../traffic/front-config.ts";
import { gateStatus } from "../traffic/gate.ts";
import { readRoutes } from "../traffic/routes.ts";
import { Refusal } from "../../settings/refusal.ts";
import { operatorRole, ownerRole, stackLabel } from "../../settings/names.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { MigrationOrder } from "../../settings/schema.ts";
import type { Settings } from "../../settings/types.ts";
import { access, applicationName } from "./access.ts";
import { prepareData } from "../takeover/carry-out.ts";
import { observeTakeover } from "../takeover/observe.ts";
import type { TakeoverState } from "../takeover/state.ts";
import { observeUnits } from "../native/observe.ts";
import { chooseSubnet } from "./addresses.ts";
import { frontOf } from "./front.ts";
import { readLastRun } from "./record.ts";
import { connectorTo, observeSchema } from "./schema.ts";
import { wakeServer } from "./wake.ts";
import type { FinishedRun, GatewayState, ObserveOptions, SchemaState, ServerState, World } from "./world.ts";

/** Looks at Docker, PostgreSQL and the gateway once. Changes nothing, but pulls images that are missing and may wake the server. */
export async function observeWorld(
  settings: Settings,
  initialised: boolean,
  { update, say }: ObserveOptions,
): Promise<{ world: World; order: MigrationOrder }> {
  const names = stackNames(settings);
  const observed = observeSettled(stackLabel(settings), names.network, [
    names.door,
    names.router,
    names.postgres,
  ]);
  const [found, ownSubnet, { takeover, asked }] = await Promise.all([
    observed,
    observeSubnet(names.network),
    settings.takeover === undefined
      ? observeDatabase(settings, update, say).then((view) => ({ takeover: undefined, asked: view }))
      : observed.then((containers) => observeTaken(settings, containers, { update, say })),
  ]);
  const subnet = ownSubnet ?? (await freeSubnet(names.network));
  const network = { subnet, exists: ownSubnet !== undefined };
  const volume = asked.server.answers ? undefined : await sleepingVolume(settings);
  const sleeps = update && volume !== undefined && takeover?.server === undefined;
  const woken = sleeps ? await wakeServer(settings, found, { network, volume, say }) : undefined;
  const [seen, units] = await Promise.all([
    sleeps ? observeContainers(stackLabel(settings), names.network) : found,
    observeUnits(settings, subnet),
  ]);
  const containers = [...seen, ...units];
  const database = sleeps ? await observeDatabase(settings, update, say) : asked;
  const leftover = containers.find(({ name }) => name === instanceName(settings));
  // What it has opened must be in the archive before that is asked for it; it is begun anew, or not wanted any more.
  if (update && leftover !== undefined) await removeInstance(leftover.id);
  const [gateway, images, abandoned, move] = await Promise.all([
    observeGateway(names, containers, frontOf(settings, subnet)),
    observeReleases(settings, database.journal, say),
    observeAbandoned(settings, database.server),
    observeMove(settings, containers, { ...database, initialised }, { update, say }),
  ]);
  const reset = await observeReset(settings, { ...database, move, takeover, initialised });
  const schema = schemaAfterReset(database.schema, reset?.plan);
  const world: World = {
    initialised,
    containers,
    subnet,
    dataVolumeExists: asked.server.answers || settings.cluster.kind !== "own" || volume !== undefined,
    images,
    server: database.server,
    serverRemade: woken,
    takeover,
    schema: move === undefined ? schema : schemaAfter(schema, move),
    move,
    // A move opens a timeline that is newer.
    abandoned: move === undefined ? abandoned : undefined,
    reset,
    gateway,
    journal: database.journal,
  };
  return { world, order: new Map([...world.schema].map(([name, { order }]) => [name, order])) };
}

/** Volume of a server of our own that does not run, if it has data. */
async function sleepingVolume(settings: Settings): Promise<string | undefined> {
  if (settings.cluster.kind !== "own") return undefined;
  const volume = await servingVolume(settings, settings.cluster);
  return (await volumeExists(volume)) ? volume : undefined;
}

/**
 * The databases of a stack that takes over: while the foreign server still has the data, that one is asked. When a killed run
 * has stopped it, an update makes the data ready first, as if that run had gone on.
 */
async function observeTaken(
  settings: Settings,
  containers: readonly ObservedContainer[],
  options: ObserveOptions,
): Promise<{ readonly takeover: TakeoverState | undefined; readonly asked: DatabaseView }> {
  const { update, say } = options;
  const takeover = await observeTakeover(settings, containers);
  if (takeover?.server !== undefined)
    return { takeover, asked: await foreignView(settings, takeover.server.versions) };
  const { cluster } = settings;
  const prepare = update && takeover?.prepare === true && cluster.kind === "own";
  if (prepare) await prepareData(settings, cluster, say);
  const asked = await observeDatabase(settings, update, say);
  return {
    takeover: takeover === undefined ? undefined : { ...takeover, prepare: takeover.prepare && !prepare },
    asked,
  };
}

/** To the stack's own server nothing exists yet, but the versions are those of the data that it will have. */
async function foreignView(
  settings: Settings,
  versions: ReadonlyMap<string, string | undefined>,
): Promise<DatabaseView> {
  const schema = await Promise.all(
    [...settings.databases.values()].map(async (database) => {
      const { order } = await observeSchema(database, undefined);
      return [database.name, { version: versions.get(database.name), order, exists: false }] as const;
    }),
  );
  const why = `${settings.takeover?.server ?? ""} still has the data`;
  return { server: { answers: false, why }, schema: new Map(schema), journal: undefined };
}

interface DatabaseView {
  readonly server: ServerState;
  readonly schema: ReadonlyMap<string, SchemaState>;
  readonly journal: FinishedRun | undefined;
}

async function observeDatabase(
  settings: Settings,
  update: boolean,
  say: (line: string) => void,
): Promise<DatabaseView> {
  const server = await askServer(settings);
  const exists = (name: string): boolean => server.answers && server.observation.databases.has(name);
  if (update) await finishPrepared(settings, [...settings.databases.keys()].filter(exists), say);
  const [first] = settings.databases.keys();
  const [schema, journal] = await Promise.all([
    Promise.all(
      [...settings.databases.values()].map(async (database) => {
        const there = exists(database.name);
        const connect = connectorTo(access(settings), applicationName(settings));
        const { version, order } = await observeSchema(database, there ? connect : undefined);
        return [database.name, { version, order, exists: there }] as const;
      }),
    ),
    server.answers && first !== undefined && exists(first)
      ? readLastRun(settings, access(settings), first, server.observation)
      : undefined,
  ]);
  return { server, schema: new Map(schema), journal };
}

/** What a run killed between the two phases of a commit left behind is brought to its end before versions are read. */
async function finishPrepared(
  settings: Settings,
  databases: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const finished = await recoverPrepared(connectorTo(access(settings), applicationName(settings)), databases);
  if (finished.length > 0)
    say(`brought ${finished.length} prepared transactions of a killed run to their end`);
}

async function askServer(settings: Settings): Promise<ServerState> {
  const databases = [...settings.databases.keys()];
  const desired = settings.cluster.kind === "own" ? settings.cluster.settings : new Map<string, string>();
  try {
    const observation = await observeServer(
      access(settings),
      {
        roles: [
          operatorRole,
          ...databases.map(ownerRole),
          ...[...settings.databases.values()].flatMap(({ writers }) => writers),
        ],
        rolePrefixes: databases.map((name) => `${name}_`),
        settings: [...desired.keys()],
      },
      { applicationName: applicationName(settings), connectTimeoutMs: 3_000 },
    );
    const { reload, restart } = differingSettings(observation, desired);
    return { answers: true, observation, settingsToReload: reload, settingsToRestart: restart };
  } catch (error) {
    if (!(error instanceof Refusal) || !error.code.startsWith("SERVER_")) throw error;
    // A server that answers but refuses the password is not a server that is missing.
    if (error.code === "SERVER_AUTH") throw error;
    return { answers: false, why: error.details.found };
  }
}

async function observeGateway(
  names: { readonly door: string; readonly router: string },
  containers: readonly ObservedContainer[],
  wanted: Front | undefined,
): Promise<GatewayState> {
  const running = new Map(containers.filter((each) => each.running).map((each) => [each.name, each]));
  const door = running.get(names.door);
  if (door === undefined || !running.has(names.router))
    return { mode: "absent", rest: "closed", routes: undefined };
  const [gate, routes, front, formerFront] = await Promise.all([
    gateStatus(names.door),
    readRoutes(names.router),
    wanted === undefined ? undefined : observeFront(wanted),
    door.labels.has("front") ? recordedFront(names.door) : undefined,
  ]);
  const rest = gate.mode === "hold" ? gate.then : gate.mode;
  return { mode: gate.mode, rest, routes, front, formerFront };
}

/**
 * Local image ids of all live and standby releases. What is missing, of them or of the stack's own parts, is pulled, or
 * refused as `IMAGE_GONE` while everything still runs.
 */
async function observeReleases(
  settings: Settings,
  journal: FinishedRun | undefined,
  say: (line: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const releases = neededImages(settings, journal?.images ?? new Map());
  const needed = [...releases, ...partImages(settings)];
  let local = await localImages(needed);
  const missing = needed.filter(({ key }) => !local.has(key));
  if (missing.length > 0) {
    await pullMissing(missing, say);
    local = await localImages(needed);
  }
  return new Map(releases.map(({ key }) => [key, local.get(key) ?? ""]));
}

async function freeSubnet(network: string): Promise<string> {
  const chosen = chooseSubnet(network, [...(await observeSubnets()).values()]);
  if (chosen !== undefined) return chosen;
  throw new Refusal({
    code: "NO_SUBNET",
    found: "Docker's networks use every subnet that a stack could take (10.64.0.0/10 in steps of /20).",
    untouched: "Nothing was changed.",
    next: "Remove networks that nobody uses:  docker network prune",
  });
}
