import { loginRole } from "../../settings/names.ts";
import { filesOf } from "../native/unit.ts";
import { reservedAddress } from "./addresses.ts";
import { stackNames } from "../../settings/stack-names.ts";
import { rolePassword } from "../../settings/secrets.ts";
import { fillTemplate, type AddressPart, type DatabasePart } from "../../settings/template.ts";
import type { Service, Settings } from "../../settings/types.ts";

/** Where the flags of a container lie inside it. */
export const flagsFolder = "/run/rollback";

/** Name of the file in `flagsFolder` with the flags of one service of one release. */
export function flagsFile(service: string, release: string): string {
  return `${service}-${release}.json`;
}

/**
 * The environment of one service of one release, in plaintext: for the container's secret input and nowhere else.
 * RELEASE and FLAGS_FILE are always there unless the configuration sets them itself.
 */
export function environment(
  settings: Settings,
  service: Service,
  release: string,
  subnet: string,
): Map<string, string> {
  const { native } = service;
  const port = settings.releases.get(release)?.services.get(service.name)?.port;
  const values = new Map<string, string>([
    ["RELEASE", release],
    [
      "FLAGS_FILE",
      native === undefined
        ? `${flagsFolder}/${flagsFile(service.name, release)}`
        : filesOf(native, release).flags,
    ],
    // Each release of a native service listens on a port of its own, and only from here does it know which.
    ...(native === undefined || port === undefined ? [] : [["PORT", String(port)] as const]),
  ]);
  for (const [name, value] of service.env) {
    values.set(
      name,
      typeof value === "string"
        ? filledIn(settings, service, release, value, subnet)
        : settings.secrets.get(value.secret),
    );
  }
  return values;
}

function filledIn(
  settings: Settings,
  service: Service,
  release: string,
  template: string,
  subnet: string,
): string {
  const names = stackNames(settings);
  const outside = service.native !== undefined;
  // Outside the stack's network its names mean nothing; its addresses are reached from this machine.
  const router = outside ? reservedAddress(subnet, "router") : names.router;
  const cacheHost = (name: string): string =>
    outside
      ? reservedAddress(subnet, { cache: [...settings.caches.keys()].indexOf(name) })
      : names.cache(name);
  return fillTemplate(template, (piece) => {
    switch (piece.kind) {
      case "release":
        return release;
      case "database":
        return databaseParts(settings, service, release)[piece.part];
      case "cache":
        return address("redis", cacheHost(piece.name), 6379)[piece.part];
      case "service":
        // Calls between services take the router's inner listener, which is never held: a drain would wait for itself.
        return address("http", router, settings.services.get(piece.name)?.port ?? 0)[piece.part];
    }
  });
}

function address(scheme: string, host: string, port: number): Readonly<Record<AddressPart, string>> {
  return { url: `${scheme}://${host}:${port}`, host, port: String(port) };
}

/** How a service of a release reaches its database: by a login role of its own, so that the database can tell releases apart. */
function databaseParts(
  settings: Settings,
  service: Service,
  release: string,
): Readonly<Record<DatabasePart, string>> {
  const name = service.database ?? "";
  const user = loginRole(name, release);
  const password = rolePassword(settings.secrets, user);
  const [host, port] = databaseAddress(settings, service);
  const url = `postgresql://${encodeURIComponent(user)}:${password}@${host}:${port}/${encodeURIComponent(name)}`;
  return { url, host, port: String(port), name, user, password };
}

function databaseAddress(settings: Settings, { native }: Service): readonly [string, number] {
  const { cluster } = settings;
  if (cluster.kind === "external")
    return [native === undefined ? cluster.hostForContainers : cluster.host, cluster.port];
  if (native === undefined) return [stackNames(settings).postgres, 5432];
  const own = cluster.address === "0.0.0.0" ? "127.0.0.1" : cluster.address;
  return [native.host?.reach ?? own, cluster.port];
}
