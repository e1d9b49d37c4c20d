import type { Settings } from "../../settings/types.ts";
import type { Desired } from "./desired.ts";
import type { Front } from "../traffic/front-config.ts";
import { resetDrift } from "../reset/reason.ts";
import { slotDrift } from "../recovery/slot/keep.ts";
import { frontOf } from "./front.ts";
import type { World } from "./world.ts";

/**
 * In what the world differs from the wish, a line each; empty: nothing to do. `routes` is the hash of the router's
 * configuration that belongs to the wish.
 */
export function differences(settings: Settings, world: World, desired: Desired, routes: string): string[] {
  return [
    ...serverDrift(world, desired),
    ...archiveDrift(settings, world),
    ...abandonedDrift(world),
    ...changesDrift(settings, world),
    ...containerDrift(settings, world, desired),
    ...gatewayDrift(world, routes),
    ...frontDrift(world, frontOf(settings, world.subnet)),
    ...resetDrift(world.reset),
  ];
}

function serverDrift(world: World, desired: Desired): string[] {
  const { server } = world;
  if (!server.answers) return [`the server does not answer (${server.why})`];
  const versions = [...desired.schema].flatMap(([database, version]) => {
    const actual = world.schema.get(database)?.version ?? "0";
    return actual === version ? [] : [`${database} is at ${actual} instead of ${version}`];
  });
  const roles = desired.roles.flatMap(({ role, open }) => {
    const actual = server.observation.roles.get(role);
    if (actual === undefined) return [`role ${role} is missing`];
    return actual.login === open ? [] : [`role ${role} is ${actual.login ? "open" : "closed"}`];
  });
  const settings = [...server.settingsToReload, ...server.settingsToRestart].map(
    (name) => `server setting ${name} differs`,
  );
  return [...versions, ...roles, ...settings];
}

/** Segment of the WAL that the archive last refused; undefined: none, or there is no archive. */
export function unarchived({ cluster }: Settings, { server }: Pick<World, "server">): string | undefined {
  if (!server.answers || cluster.kind !== "own" || cluster.backup.schedule === undefined) return undefined;
  return server.observation.unarchived ?? undefined;
}

function archiveDrift(settings: Settings, world: World): string[] {
  const segment = unarchived(settings, world);
  return segment === undefined ? [] : [`${segment} of the WAL cannot be archived`];
}

function abandonedDrift({ abandoned }: World): string[] {
  return abandoned === undefined
    ? []
    : [
        `the archive has timeline ${abandoned.newest}, which the server on timeline ${abandoned.own} does not come from`,
      ];
}

/** Whether later writes are on record as the configuration wants it. */
function changesDrift(settings: Settings, { server, schema }: World): string[] {
  if (!server.answers || settings.cluster.kind !== "own") return [];
  const databases = [...schema].flatMap(([name, { exists }]) => (exists ? [name] : []));
  return slotDrift(settings, server.observation.slots, databases);
}

function containerDrift(settings: Settings, world: World, desired: Desired): string[] {
  const byName = new Map(world.containers.map((container) => [container.name, container]));
  const wanted = new Set(desired.containers.map(({ name }) => name));
  const missing = desired.containers.flatMap(({ name, started }) => {
    const found = byName.get(name);
    if (found === undefined) return [`container ${name} is missing`];
    if (found.running !== started) return [`container ${name} is ${started ? "stopped" : "running"}`];
    const recorded = world.journal?.containers.get(name);
    return recorded === undefined || recorded === found.id ? [] : [`container ${name} was made anew`];
  });
  const parts = [
    "door",
    "router",
    ...(settings.cluster.kind === "own" ? ["postgres"] : []),
    ...(settings.caches.size > 0 ? ["cache"] : []),
  ];
  const absent = parts.filter(
    (part) => !world.containers.some(({ labels, running }) => running && labels.get("part") === part),
  );
  const extra = world.containers
    .filter(({ name, labels }) => labels.get("part") === "service" && !wanted.has(name))
    .map(({ name }) => `container ${name} is left over`);
  return [...missing, ...absent.map((part) => `the ${part} is not running`), ...extra];
}

function gatewayDrift(world: World, routes: string): string[] {
  if (world.gateway.mode === "absent") return ["the gateway is not running"];
  return [
    ...(world.gateway.mode === "open"
      ? []
      : [`the gate is ${world.gateway.mode === "hold" ? "holding" : "closed"}`]),
    ...(world.gateway.routes === routes ? [] : ["the router has other routes"]),
  ];
}

function frontDrift({ gateway }: World, wanted: Front | undefined): string[] {
  // Without a gateway nobody has asked.
  if (wanted === undefined || gateway.mode === "absent") return [];
  if (gateway.front?.file !== wanted.text) return [`${wanted.file} is missing or differs`];
  return gateway.front.answers === wanted.generation
    ? []
    : ["the existing nginx does not answer by the stack's configuration"];
}
