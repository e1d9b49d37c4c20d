import { loginRole, operatorRole, ownerRole } from "../../settings/names.ts";
import type { Settings } from "../../settings/types.ts";
import type { LiveVerdict } from "../migrations/live/judge.ts";
import { resetReason } from "../reset/reason.ts";
import type { Desired } from "./desired.ts";
import type { World } from "./world.ts";

/** One database on its way from one schema version to another. */
export interface SchemaChange {
  readonly database: string;
  /** "0": the empty schema. */
  readonly from: string;
  readonly to: string;
  readonly direction: "forward" | "reverse";
}

/** What this run has to change, told from the observed and the desired state. */
export interface Change {
  readonly kind: "first deployment" | "deployment" | "rollback" | "change of traffic or configuration";
  readonly schema: readonly SchemaChange[];
  /** Why the server has to stop or restart; empty: it keeps running. */
  readonly serverStops: readonly string[];
  /** Whether requests are held while it happens, and why. */
  readonly hold: boolean;
  readonly reasons: readonly string[];
  /** A reversal that meets requests: nobody waits and nobody is closed. */
  readonly live: boolean;
  /** Why a reversal that was asked to meet requests cannot, a line for each reason. */
  readonly notLive: readonly string[];
  /** Whether a dump comes first. */
  readonly dump: boolean;
  /** Whether users meet other code or another schema afterwards, so that what they and caches keep of the former is stale. */
  readonly code: boolean;
  /** Login roles that are closed before the schema changes. */
  readonly closing: readonly string[];
  /** Releases with running containers that do not run any more afterwards. */
  readonly leaving: readonly string[];
  /** Releases that run afterwards and do not now. */
  readonly arriving: readonly string[];
}

/**
 * Pure: the same world and wish give the same change. `serverReplaced`: whether the server's container has other inputs;
 * `verdict`: whether its reversals can meet requests, undefined: that is not asked for.
 */
export function planChange(
  settings: Settings,
  world: World,
  desired: Desired,
  serverReplaced: boolean,
  verdict?: LiveVerdict,
): Change {
  const schema = schemaChanges(world, desired);
  const serving = runningReleases(world);
  const leaving = serving.filter((release) => !desired.running.includes(release));
  const arriving = desired.running.filter((release) => !serving.includes(release));
  const serverStops = stops(world, serverReplaced);
  const reversals = schema.filter(({ direction }) => direction === "reverse");
  const existed = schema.filter(({ database }) => world.schema.get(database)?.version !== undefined);
  const resets = world.reset?.plan === undefined ? [] : [resetReason(world.reset.plan)];
  const reasons = [
    ...reversals.map(({ database, from, to }) => `${database} goes back from ${from} to ${to}`),
    ...(reversals.length === 0 && existed.length > 0
      ? leaving.map((release) => `${release} does not run on the new schema`)
      : []),
    ...serverStops,
    ...resets,
  ];
  const notLive = verdict === undefined ? [] : [...serverStops, ...resets, ...verdict.because];
  const live = verdict !== undefined && notLive.length === 0;
  const hold = serving.length > 0 && reasons.length > 0 && !live;
  return {
    kind: kindOf(settings, serving, schema, world.journal === undefined),
    schema,
    serverStops,
    hold,
    reasons,
    live,
    notLive,
    dump: existed.length > 0,
    code:
      serving.length > 0 &&
      (schema.length > 0 || resets.length > 0 || otherReleases(settings, world, arriving, leaving)),
    closing: hold ? closingRoles(settings, world, desired, schema) : [],
    leaving,
    arriving,
  };
}

/** A standby runs before and after, and still its code is new to users: what counts is who is live. */
function otherReleases(
  { live }: Settings,
  { journal }: World,
  arriving: readonly string[],
  leaving: readonly string[],
): boolean {
  if (arriving.length + leaving.length > 0) return true;
  if (journal === undefined) return false;
  return live.length !== journal.weights.size || live.some(({ release }) => !journal.weights.has(release));
}

function schemaChanges(world: World, desired: Desired): SchemaChange[] {
  return [...desired.schema].flatMap(([database, to]) => {
    const state = world.schema.get(database);
    const from = state?.version ?? "0";
    if (from === to) return [];
    const order = state?.order ?? [];
    return [
      {
        database,
        from,
        to,
        direction: order.indexOf(to) < order.indexOf(from) ? ("reverse" as const) : ("forward" as const),
      },
    ];
  });
}

/** Releases with at least one running container, in the order of the containers' names. */
export function runningReleases(world: World): string[] {
  const releases = world.containers.flatMap(({ running, labels }) =>
    running && labels.get("part") === "service" ? [labels.get("release") ?? ""] : [],
  );
  return [...new Set(releases)].sort();
}

function stops(world: World, replaced: boolean): string[] {
  if (!world.server.answers) return [];
  return [
    ...(world.serverRemade === undefined ? [] : [world.serverRemade]),
    ...(world.move === undefined ? [] : [`the server goes to ${world.move.plan.volume}`]),
    ...(world.abandoned === undefined ? [] : ["the server opens a new timeline"]),
    ...(replaced ? ["the server's container is replaced"] : []),
    ...world.server.settingsToRestart.map((name) => `${name} needs a restart of the server`),
  ];
}

/** Every open role that shall not meet the new schema, and the foreign writers of the databases that change. */
function closingRoles(
  settings: Settings,
  world: World,
  desired: Desired,
  schema: readonly SchemaChange[],
): string[] {
  const moves = world.move !== undefined;
  const reset = world.reset?.plan?.database;
  if (!world.server.answers || (schema.length === 0 && !moves && reset === undefined)) return [];
  // A server that goes to another volume keeps nobody, nor does a database that another takes the place of: what is written
  // to it now would be left behind.
  const stays = new Set(
    moves
      ? []
      : desired.roles.filter(({ open, database }) => open && database !== reset).map(({ role }) => role),
  );
  // What the observation lists besides the releases' own roles: the operator, who does the work, and owners without login.
  const keepers = new Set([operatorRole, ...[...settings.databases.keys()].map(ownerRole)]);
  const ours = [...world.server.observation.roles]
    .filter(([role, { login }]) => login && !stays.has(role) && !keepers.has(role))
    .map(([role]) => role);
  const changing = moves
    ? [...settings.databases.keys()]
    : [...schema.map(({ database }) => database), ...(reset === undefined ? [] : [reset])];
  const writers = changing.flatMap((database) => settings.databases.get(database)?.writers ?? []);
  return [...new Set([...ours, ...writers])];
}

/**
 * Login roles of every release that this stack is known to have had, but for those that stay. Known are the releases of
 * the configuration, of the journal and of the containers; a role that merely begins like ours is somebody else's.
 */
export function rolesToRetire(settings: Settings, world: World, desired: Desired): string[] {
  const releases = new Set([
    ...settings.releases.keys(),
    ...(world.journal?.releases.keys() ?? []),
    ...runningReleases(world),
  ]);
  const stays = new Set(desired.roles.map(({ role }) => role));
  return [...settings.databases.keys()]
    .flatMap((database) => [...releases].map((release) => loginRole(database, release)))
    .filter((role) => !stays.has(role));
}

/** What a person would call this run. Only for reading: nothing is decided by it. */
function kindOf(
  settings: Settings,
  serving: readonly string[],
  schema: readonly SchemaChange[],
  first: boolean,
): Change["kind"] {
  if (serving.length === 0) return first ? "first deployment" : "deployment";
  if (schema.some(({ direction }) => direction === "reverse")) return "rollback";
  if (schema.length > 0) return "deployment";
  const live = settings.live.map(({ release }) => release);
  const order = [...new Set([...live, ...serving])].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const newest = (releases: readonly string[]): number =>
    Math.max(...releases.map((release) => order.indexOf(release)));
  if (newest(live) < newest(serving)) return "rollback";
  return live.every((release) => serving.includes(release))
    ? "change of traffic or configuration"
    : "deployment";
}
