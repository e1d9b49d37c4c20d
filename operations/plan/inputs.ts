import type { Reset, Settings } from "../../settings/types.ts";
import { secretHash } from "../../settings/secrets.ts";
import type { Desired } from "./desired.ts";

/** A value that Pulumi can keep as an input and show in a diff. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

/** What each effect is given, readable in `pulumi preview --diff` and in the history: names and keyed hashes, no secrets. */
export function effectInputs(settings: Settings, desired: Desired): Record<string, Plain> {
  const { cluster, gateway } = settings;
  const weights = Object.fromEntries(settings.live.map(({ release, weight }) => [release, weight]));
  return {
    preflight: {
      live: weights,
      standby: settings.standby,
      images: Object.fromEntries(desired.images),
      secrets: Object.fromEntries(
        settings.secrets.names.map((name) => [name, secretHash(settings.secrets, name).slice(0, 16)]),
      ),
    },
    ...(settings.takeover === undefined
      ? {}
      : { takeover: { server: settings.takeover.server, containers: settings.takeover.containers } }),
    backup: { databases: [...settings.databases.keys()] },
    ...(gateway.existing === undefined
      ? {}
      : { front: { folder: gateway.existing.folder, reload: gateway.existing.reload.join(" ") } }),
    fence: { hold: gateway.hold, drain: gateway.drain, releases: desired.releases },
    ...(settings.recovery === undefined
      ? {}
      : { recovery: { ...settings.recovery, laterWrites: settings.recovery.laterWrites ?? null } }),
    ...(settings.reset === undefined ? {} : { reset: resetInput(settings.reset) }),
    ready:
      cluster.kind === "own"
        ? { image: cluster.image, volume: cluster.volume, settings: Object.fromEntries(cluster.settings) }
        : { host: cluster.host, port: cluster.port },
    schema: Object.fromEntries(desired.schema),
    flags: Object.fromEntries(
      desired.running.flatMap((release) =>
        [...(settings.releases.get(release)?.services ?? [])].map(([service, { flags }]) => [
          `${service} ${release}`,
          Object.fromEntries(flags),
        ]),
      ),
    ),
    containers: Object.fromEntries(desired.containers.map(({ name, address }) => [name, address])),
    caches: {
      live: Object.keys(weights),
      clear: Object.fromEntries(
        [...settings.caches].map(([name, { pattern, all }]) => [name, all ? "everything" : (pattern ?? "")]),
      ),
      ...(settings.fileCaches.size === 0
        ? {}
        : {
            files: Object.fromEntries(
              [...settings.fileCaches].map(([name, { volume, files }]) => [name, `${volume}:${files}`]),
            ),
          }),
      sessions: Object.fromEntries(
        [...settings.databases].flatMap(([name, { sessions }]) =>
          sessions === undefined ? [] : [[name, sessions.where]],
        ),
      ),
    },
    traffic: weights,
    verification: {
      smoke: Object.fromEntries(
        [...settings.services].map(([name, { smoke }]) => [
          name,
          smoke.map(({ method, path }) => `${method} ${path}`),
        ]),
      ),
      scripts: Object.fromEntries(
        [...settings.services].flatMap(([name, { smokeScript }]) =>
          smokeScript === undefined ? [] : [[name, smokeScript.path]],
        ),
      ),
      keyTables: Object.fromEntries(
        [...settings.databases].map(([name, { keyTables }]) => [name, keyTables.map(({ table }) => table)]),
      ),
    },
  };
}

function resetInput({ database, keepAs, back, load: { dump, salvage, tables } }: Reset): Plain {
  return {
    ...{ database, keepAs, back: back ?? null },
    load: { dump: dump ?? null, salvage: salvage ?? null, tables: tables ?? null },
  };
}
