import type { Native, Settings, Service } from "../../settings/types.ts";
import { containerName, loginRole, prefix } from "../../settings/names.ts";
import { fitsSchema, wantedSchema, type MigrationOrder } from "../../settings/schema.ts";
import { keyedHash } from "../../settings/secrets.ts";
import { nativeAddress } from "../native/observe.ts";
import { unitName } from "../native/unit.ts";
import { allocate } from "./addresses.ts";
import { environment } from "./environment.ts";
import type { World } from "./world.ts";

/** A container, or a unit in the place of one, that shall exist when the run is over. */
export interface DesiredContainer {
  readonly name: string;
  readonly service: string;
  readonly release: string;
  readonly replica: number;
  /** Local image id. */
  readonly image: string;
  readonly address: string;
  /** Where it listens at that address. */
  readonly port: number;
  /** A native service's unit, which is no container; undefined: a container. */
  readonly unit: Native | undefined;
  readonly weight: number;
  /** Whether it shall run when the run is over: its release fits the schema. */
  readonly started: boolean;
}

/** A login role of one release in one database. */
export interface DesiredRole {
  readonly role: string;
  readonly database: string;
  readonly release: string;
  /** Whether it may log in when the run is over: its release fits the schema. */
  readonly open: boolean;
}

/** What shall be when the run is over; a pure function of the configuration and of what was observed. */
export interface Desired {
  readonly subnet: string;
  /** Key: database. */
  readonly schema: ReadonlyMap<string, string>;
  /** Live and standby releases, live first. */
  readonly releases: readonly string[];
  /** Those of them whose containers run. */
  readonly running: readonly string[];
  readonly containers: readonly DesiredContainer[];
  readonly roles: readonly DesiredRole[];
  /** Key: `service/release`; value: local image id. */
  readonly images: ReadonlyMap<string, string>;
}

/** Key of `Desired.images` and `World.images`. */
export function imageKey(service: string, release: string): string {
  return `${service}/${release}`;
}

/**
 * Works out the desired state. Throws Refusals LIVE_INCOMPATIBLE (a live release does not run on the schema that the
 * live releases together want).
 */
export function desiredState(settings: Settings, world: World, order: MigrationOrder): Desired {
  const schema = wantedSchema(settings, order);
  const weights = new Map(settings.live.map(({ release, weight }) => [release, weight]));
  const releases = [...weights.keys(), ...settings.standby];
  const running = releases.filter((release) => runsOn(settings, release, schema, order));
  const unplaced = releases.flatMap((release) =>
    [...settings.services.values()].flatMap((service) => replicas(settings, world, service, release)),
  );
  const kept = new Map(
    world.containers.flatMap(({ name, address, labels }) =>
      address !== undefined && labels.get("part") === "service" ? [[name, address] as const] : [],
    ),
  );
  const addresses = allocate(
    unplaced.filter(({ unit }) => unit === undefined).map(({ name }) => name),
    world.subnet,
    kept,
  );
  const containers = unplaced.map((container) => ({
    ...container,
    address:
      container.unit === undefined
        ? (addresses.get(container.name) ?? "")
        : nativeAddress(container.unit, world.subnet),
    weight: weights.get(container.release) ?? 0,
    started: running.includes(container.release),
  }));
  return {
    subnet: world.subnet,
    schema,
    releases,
    running,
    containers,
    roles: roles(settings, releases, running),
    images: world.images,
  };
}

/** Whether a release runs on this schema of all databases. */
function runsOn(
  settings: Settings,
  name: string,
  schema: ReadonlyMap<string, string>,
  order: MigrationOrder,
): boolean {
  const release = settings.releases.get(name);
  return (
    release !== undefined &&
    [...schema].every(([database, version]) => fitsSchema(release, database, version, order))
  );
}

function replicas(
  settings: Settings,
  world: World,
  service: Service,
  release: string,
): Omit<DesiredContainer, "address" | "weight" | "started">[] {
  const { native } = service;
  if (native !== undefined) {
    const port = settings.releases.get(release)?.services.get(service.name)?.port ?? service.port;
    const name = unitName(native.unit, release);
    return [{ name, service: service.name, release, replica: 1, image: "", port, unit: native }];
  }
  const image = world.images.get(imageKey(service.name, release)) ?? "";
  // What forces a replacement is part of the name, so that a change never replaces a live container under its own name.
  const inputs = JSON.stringify([
    image,
    [...environment(settings, service, release, world.subnet)],
    service.port,
    service.memory,
    service.user,
    service.stopGrace,
    // Only where there are any: names of containers that have none stay as they were.
    ...(service.volumes.size === 0 ? [] : [[...service.volumes]]),
  ]);
  const hash = keyedHash(settings.secrets, inputs).slice(0, 8);
  return Array.from({ length: service.replicas }, (_, replica) => ({
    name: containerName(prefix(settings), service.name, release, replica, hash),
    service: service.name,
    release,
    replica: replica + 1,
    image,
    port: service.port,
    unit: undefined,
  }));
}

function roles(settings: Settings, releases: readonly string[], running: readonly string[]): DesiredRole[] {
  const databases = new Set(
    [...settings.services.values()].flatMap(({ database }) => (database === undefined ? [] : [database])),
  );
  return [...databases].flatMap((database) =>
    releases.map((release) => ({
      role: loginRole(database, release),
      database,
      release,
      open: running.includes(release),
    })),
  );
}
