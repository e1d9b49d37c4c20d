import path from "node:path";
import { docker, DockerFailure } from "../docker/run.ts";
import type { ForeignContainer } from "../takeover/inspect.ts";
import { hostsIn } from "../takeover/upstreams.ts";
import { isFolder } from "./folders.ts";
import type { Neighbour } from "./environment.ts";

/** What a proxy in front of the services lets through: which services it names, and where it listens. */
export interface Fronted {
  /** Names of services, in the order in which its configuration mentions them. */
  readonly services: readonly string[];
  readonly published: ForeignContainer["published"];
  /** It ends TLS. */
  readonly tls: boolean;
  /** What it takes for it to stay in front of the stack's gateway; undefined: it cannot be given a file. */
  readonly front: ProxyFront | undefined;
}

/** A running nginx that includes what is in a folder of this machine. */
export interface ProxyFront {
  readonly folder: string;
  /** One of its networks on which containers are found by name. */
  readonly network: string;
}

/** Whether it does what the stack's gateway does not, and can stay in front of it. Pure. */
export function stays({ services, tls, front }: Fronted): boolean {
  return front !== undefined && services.length > 0 && (tls || services.length > 1);
}

/** Asks a running nginx for its whole configuration; other proxies are asked for nothing. */
export async function lookAtProxy(
  container: ForeignContainer,
  services: readonly Neighbour[],
): Promise<Fronted> {
  const configuration = await configurationOf(container);
  const fronted = frontedBy(configuration, container.published, services);
  const [network] = [...container.networks.keys()].filter((name) => !/^(bridge|host|none)$/.test(name));
  const folder = await includedFolder(configuration, container);
  return {
    ...fronted,
    front: folder === undefined || network === undefined ? undefined : { folder, network },
  };
}

/** The folder of this machine whose files it includes. */
async function includedFolder(
  configuration: string,
  { mounts }: Pick<ForeignContainer, "mounts">,
): Promise<string | undefined> {
  for (const { type, source, destination } of mounts) {
    if (type === "bind" && includes(configuration, destination) && (await isFolder(source))) return source;
  }
  return undefined;
}

/** Whether `*.conf` of a folder is included; nginx looks for what has no leading slash beside its own file. Pure. */
export function includes(configuration: string, folder: string): boolean {
  return [...configuration.replace(/#.*$/gm, "").matchAll(/\binclude\s+([^;\s]+)\/\*(?:\.conf)?\s*;/g)].some(
    ([, named = ""]) => path.posix.resolve("/etc/nginx", named) === path.posix.resolve(folder),
  );
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
): Omit<Fronted, "front"> {
  const text = configuration.replace(/#.*$/gm, "");
  const named = hostsIn(configuration).flatMap((host) =>
    services.filter(({ aliases }) => aliases.includes(host)).map(({ name }) => name),
  );
  return {
    services: [...new Set(named)],
    published,
    tls: /\bssl_certificate\s/.test(text) || published.some(({ inner }) => inner === 443),
  };
}
