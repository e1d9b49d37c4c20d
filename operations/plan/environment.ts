import { loginRole } from "../../settings/names.ts";
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
export function environment(settings: Settings, service: Service, release: string): Map<string, string> {
  const values = new Map<string, string>([
    ["RELEASE", release],
    ["FLAGS_FILE", `${flagsFolder}/${flagsFile(service.name, release)}`],
  ]);
  for (const [name, value] of service.env) {
    values.set(
      name,
      typeof value === "string"
        ? filledIn(settings, service, release, value)
        : settings.secrets.get(value.secret),
    );
  }
  return values;
}

function filledIn(settings: Settings, service: Service, release: string, template: string): string {
  const names = stackNames(settings);
  return fillTemplate(template, (piece) => {
    switch (piece.kind) {
      case "release":
        return release;
      case "database":
        return databaseParts(settings, service, release)[piece.part];
      case "cache":
        return address("redis", names.cache(piece.name), 6379)[piece.part];
      case "service":
        // Calls between services take the router's inner listener, which is never held: a drain would wait for itself.
        return address("http", names.router, settings.services.get(piece.name)?.port ?? 0)[piece.part];
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
  const { cluster } = settings;
  const name = service.database ?? "";
  const user = loginRole(name, release);
  const password = rolePassword(settings.secrets, user);
  const [host, port] =
    cluster.kind === "own"
      ? [stackNames(settings).postgres, 5432]
      : [cluster.hostForContainers, cluster.port];
  const url = `postgresql://${encodeURIComponent(user)}:${password}@${host}:${port}/${encodeURIComponent(name)}`;
  return { url, host, port: String(port), name, user, password };
}
