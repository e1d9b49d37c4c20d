import { docker, DockerFailure } from "../docker/run.ts";
import type { ForeignContainer } from "../takeover/inspect.ts";
import type { Neighbour } from "./environment.ts";

/** What a proxy in front of the services lets through: which services it names, and where it listens. */
export interface Fronted {
  /** Names of services, in the order in which its configuration mentions them. */
  readonly services: readonly string[];
  readonly published: ForeignContainer["published"];
  /** It ends TLS. */
  readonly tls: boolean;
}

/** Asks a running nginx for its whole configuration; other proxies are asked for nothing. */
export async function lookAtProxy(
  container: ForeignContainer,
  services: readonly Neighbour[],
): Promise<Fronted> {
  return frontedBy(await configurationOf(container), container.published, services);
}

async function configurationOf({ name }: ForeignContainer): Promise<string> {
  try {
    return await docker(["exec", name, "nginx", "-T"]);
  } catch (error) {
    // No nginx after all; what it fronts has to be said by the user then.
    if (error instanceof DockerFailure) return "";
    throw error;
  }
}

/** Pure: `proxy_pass` and `upstream` name hosts, and hosts are services. */
export function frontedBy(
  configuration: string,
  published: ForeignContainer["published"],
  services: readonly Neighbour[],
): Fronted {
  const text = configuration.replace(/#.*$/gm, "");
  const hosts = [...text.matchAll(/\b(?:proxy_pass\s+https?:\/\/|server\s+)([A-Za-z0-9_.-]+)/g)].map(
    ([, host]) => host ?? "",
  );
  const named = hosts.flatMap((host) =>
    services.filter(({ aliases }) => aliases.includes(host)).map(({ name }) => name),
  );
  return {
    services: [...new Set(named)],
    published,
    tls: /\bssl_certificate\s/.test(text) || published.some(({ inner }) => inner === 443),
  };
}
