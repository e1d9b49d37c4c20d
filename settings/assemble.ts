/** From parsed and checked rooms to the types everybody reads: mappings become Maps, paths absolute, services sorted. */
import * as path from "node:path";
import { archiveSettings, changesSettings } from "./archive.ts";
import { serviceNeeds, type ServiceEntry } from "./checks/services.ts";
import { inDependencyOrder } from "./dependencies.ts";
import { part, prefix } from "./names.ts";
import type { RawConfiguration, Rooms } from "./raw.ts";
import { secretsFrom } from "./secrets.ts";
import type { Backup, Cluster, Database, Native, Release, Reset, Service, Settings } from "./types.ts";

/** Rooms without mistakes. */
type Complete = {
  readonly [Room in keyof Rooms]: Room extends "recovery" | "reset" | "takeover"
    ? Rooms[Room]
    : Exclude<Rooms[Room], undefined>;
};

export function assemble(raw: RawConfiguration, rooms: Complete): Settings {
  const releases = mapOf(new Map([...rooms.releases.valid].sort(naturally)), release);
  return {
    project: raw.project,
    stack: raw.stack,
    releases,
    live: liveByWeight(rooms.live.valid, [...releases.keys()]),
    standby: rooms.standby,
    services: sortedServices(rooms.services.valid, raw.folder),
    databases: mapOf(new Map([...rooms.databases.valid].sort(byCharacters)), (name, entry) =>
      database(name, entry, raw.folder),
    ),
    cluster: cluster(rooms.cluster, raw),
    recovery:
      rooms.recovery === undefined
        ? undefined
        : { ...rooms.recovery, laterWrites: rooms.recovery.laterWrites },
    reset: rooms.reset === undefined ? undefined : resetOf(rooms.reset),
    gateway: gateway(rooms.gateway, raw.folder),
    caches: new Map(
      [...rooms.caches.valid].flatMap(([name, entry]) =>
        entry.kind === "redis" ? [[name, { name, ...entry }]] : [],
      ),
    ),
    fileCaches: new Map(
      [...rooms.caches.valid].flatMap(([name, entry]) =>
        entry.kind === "files" ? [[name, { name, volume: entry.volume, files: entry.files }]] : [],
      ),
    ),
    safety: rooms.safety,
    secrets: secretsFrom(new Map(Object.entries(rooms.secrets))),
    platform: rooms.platform,
    takeover: rooms.takeover,
  };
}

/** `1.2.0` before `1.10.0`. Pulumi sorts every mapping by name, so the order of the file is not to be had. */
function naturally([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one.localeCompare(other, "en", { numeric: true });
}

/** As Pulumi sorts; said again because a JavaScript object puts whole numbers first. */
function byCharacters([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

type EntryOf<Room extends "releases" | "databases"> =
  Rooms[Room]["valid"] extends ReadonlyMap<string, infer Value> ? Value : never;

function release(name: string, entry: EntryOf<"releases">): Release {
  return {
    name,
    services: mapOf(new Map(Object.entries(entry.services)), (_, { image, port, digest, flags = {} }) => ({
      image: image ?? `releases/${name}`,
      port,
      digest,
      flags: new Map(Object.entries(flags)),
    })),
    schema: new Map(Object.entries(entry.schema ?? {})),
    compatible: new Map(Object.entries(entry.compatible ?? {})),
  };
}

function liveByWeight(weights: ReadonlyMap<string, number>, catalogue: readonly string[]): Settings["live"] {
  const order = new Map(catalogue.map((name, index) => [name, index]));
  return [...weights]
    .map(([release, weight]) => ({ release, weight }))
    .sort(
      (one, other) =>
        other.weight - one.weight || (order.get(one.release) ?? 0) - (order.get(other.release) ?? 0),
    );
}

function sortedServices(entries: ReadonlyMap<string, ServiceEntry>, folder: string): Settings["services"] {
  const sorted = inDependencyOrder(serviceNeeds(entries));
  const names = "order" in sorted ? sorted.order : [];
  return new Map(
    names.flatMap((name) => {
      const entry = entries.get(name);
      return entry === undefined ? [] : [[name, service(name, entry, folder)] as const];
    }),
  );
}

function service(name: string, entry: ServiceEntry, folder: string): Service {
  return {
    name,
    port: entry.port,
    public: entry.public,
    database: entry.database,
    health: entry.health,
    healthDeadline: entry.healthDeadline,
    smoke: entry.smoke.map(({ json = {}, body, ...test }) => ({
      ...test,
      body,
      json: new Map(Object.entries(json)),
    })),
    smokeScript:
      entry.smokeScript === undefined
        ? undefined
        : {
            path: path.resolve(folder, entry.smokeScript.path),
            timeout: entry.smokeScript.timeout,
            image: entry.smokeScript.image,
          },
    errorLog: { parts: entry.errorLog.parts, allowed: entry.errorLog.allowed },
    replicas: entry.replicas,
    env: new Map(Object.entries(entry.env ?? {})),
    reload:
      entry.reload === undefined
        ? undefined
        : { path: entry.reload.path, headers: new Map(Object.entries(entry.reload.headers ?? {})) },
    expectLog: entry.expectLog,
    native: entry.native === undefined ? undefined : nativeOf(entry.native, folder),
    memory: entry.memory,
    volumes: new Map(Object.entries(entry.volumes ?? {})),
    user: entry.user,
    stopGrace: entry.stopGrace,
  };
}

function nativeOf({ unit, directory, host }: NonNullable<ServiceEntry["native"]>, folder: string): Native {
  if (host === undefined) return { unit, directory, host };
  const { address, user, port, key, knownHosts, reach } = host;
  const file = (given: string | undefined): string | undefined =>
    given === undefined ? undefined : path.resolve(folder, given);
  return {
    unit,
    directory,
    host: { address, user, port, reach, key: file(key), knownHosts: file(knownHosts) },
  };
}

function database(name: string, entry: EntryOf<"databases">, folder: string): Database {
  const { layout, tracking, sessions } = entry;
  return { ...entry, name, migrations: path.resolve(folder, entry.migrations), layout, tracking, sessions };
}

function cluster(room: Complete["cluster"], raw: RawConfiguration): Cluster {
  const backup = backupOf(room.backup, raw);
  if ("external" in room) {
    const { hostForContainers = room.external.host, ...server } = room.external;
    return { kind: "external", ...server, hostForContainers, image: room.image, backup };
  }
  const { settings = {}, ...own } = room;
  return {
    kind: "own",
    ...own,
    settings: new Map([
      ...mapOf(new Map(Object.entries(settings)), (_, value) => settingText(value)),
      ...(backup.schedule === undefined ? [] : archiveSettings),
      ...(backup.changes === undefined ? [] : changesSettings(backup.changes)),
    ]),
    backup,
  };
}

function resetOf({ database, keepAs, back, load }: NonNullable<Rooms["reset"]>): Reset {
  return {
    ...{ database, keepAs, back },
    load: { dump: load?.dump, salvage: load?.salvage, tables: load?.tables },
  };
}

function backupOf(
  { repository, s3, schedule, retention, encryption, changes }: Complete["cluster"]["backup"],
  raw: RawConfiguration,
): Backup {
  const chosen = repository ?? part(prefix(raw), "dumps");
  return {
    repository: /^[./]/.test(chosen) ? { folder: path.resolve(raw.folder, chosen) } : { volume: chosen },
    s3: s3 === undefined ? undefined : { ...s3, certificate: s3.certificate },
    schedule: schedule === undefined ? undefined : { diff: undefined, incr: undefined, ...schedule },
    ...{ retention, encryption, changes },
  };
}

/** As postgresql.conf takes it: YAML has already read `off` as false. */
function settingText(value: string | number | boolean): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value);
}

function gateway(
  { existing, sticky, browsers, ...bounds }: Complete["gateway"],
  folder: string,
): Settings["gateway"] {
  return {
    ...bounds,
    sticky,
    browsers: browsers === undefined ? undefined : { ...browsers, cacheControl: browsers.cacheControl },
    existing:
      existing === undefined ? undefined : { ...existing, folder: path.resolve(folder, existing.folder) },
  };
}

function mapOf<In, Out>(
  entries: ReadonlyMap<string, In>,
  make: (name: string, value: In) => Out,
): ReadonlyMap<string, Out> {
  return new Map([...entries].map(([name, value]) => [name, make(name, value)]));
}
