import type { ForeignContainer } from "../takeover/inspect.ts";
import type { RunningService } from "./containers.ts";
import { pathOf, probeHealth } from "./health.ts";
import type { BoundFolder } from "./request.ts";

/** What an image says of itself; a container that says otherwise was told to. */
export interface ImageDefaults {
  readonly environment: ReadonlyMap<string, string>;
  readonly command: readonly string[];
  readonly entrypoint: readonly string[];
  readonly user: string;
}

/** What the user said of a service on the command line. */
export interface Said {
  readonly health: string | undefined;
  readonly port: number | undefined;
}

/** A service of a stack configuration, as far as its container tells of it. */
export interface Application {
  readonly port: number;
  readonly public: { readonly port: number; readonly address: string } | undefined;
  readonly health: string;
  readonly replicas: number;
  /** Megabytes. */
  readonly memory: number | undefined;
  readonly user: string | undefined;
  /** Seconds. */
  readonly stopGrace: number | undefined;
  /** Volumes by their path in the container, those over folders of this machine included. */
  readonly volumes: ReadonlyMap<string, string>;
  readonly folders: readonly BoundFolder[];
  readonly variables: ReadonlyMap<string, string>;
  readonly image: string;
  readonly imageId: string;
}

/** A service as a stack would run it, or why that cannot be told, a sentence each. */
export async function readApplication(
  { service, containers }: RunningService,
  defaults: ImageDefaults,
  said: Said,
  folders: readonly BoundFolder[],
): Promise<{ readonly application?: Application; readonly problems: readonly string[] }> {
  const [container] = containers;
  const problems = unlike(service.name, container, defaults, folders);
  const port = said.port ?? portOf(container);
  if (port === undefined) {
    return {
      problems: [
        ...problems,
        `${service.name} publishes and exposes ${container.exposed.length === 0 ? "no port" : `the ports ${container.exposed.join(", ")}`}: say on which one it answers HTTP (--port ${service.name}=8080), or leave it out (--without ${service.name})`,
      ],
    };
  }
  const health = said.health ?? pathOf(container.healthcheck) ?? (await probed(container, port));
  if (health === undefined) {
    problems.push(
      `${service.name} has no health check over HTTP, and answers none of the usual paths: say which one tells that it is well (--health ${service.name}=/health), or leave it out (--without ${service.name})`,
    );
  }
  if (health === undefined || problems.length > 0) return { problems };
  const listener = container.published.find(({ inner }) => inner === port);
  return {
    problems,
    application: {
      port,
      public: listener === undefined ? undefined : { port: listener.port, address: listener.address },
      health,
      replicas: containers.length,
      memory: container.memory === 0 ? undefined : Math.ceil(container.memory / 1024 ** 2),
      user: container.user === defaults.user ? undefined : container.user,
      stopGrace: container.stopTimeout === 10 ? undefined : container.stopTimeout,
      volumes: new Map([
        ...volumesOf(container),
        ...folders.map(({ destination, volume }) => [destination, volume] as const),
      ]),
      folders,
      variables: ownVariables(container, defaults),
      image: container.image,
      imageId: container.imageId,
    },
  };
}

async function probed({ networks }: ForeignContainer, port: number): Promise<string | undefined> {
  for (const address of networks.values()) {
    const found = address === "" ? undefined : await probeHealth(address, port);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The only published port, else the only exposed one. Pure. */
export function portOf({
  published,
  exposed,
}: Pick<ForeignContainer, "published" | "exposed">): number | undefined {
  const inner = [...new Set(published.map((each) => each.inner))];
  if (inner.length === 1) return inner[0];
  return inner.length === 0 && exposed.length === 1 ? exposed[0] : undefined;
}

/** What the container was told beyond its image. Pure. */
export function ownVariables(
  { environment }: Pick<ForeignContainer, "environment">,
  defaults: ImageDefaults,
): Map<string, string> {
  return new Map([...environment].filter(([name, value]) => defaults.environment.get(name) !== value));
}

/** What a release's container cannot have, a sentence each. Pure. */
export function unlike(
  name: string,
  container: ForeignContainer,
  defaults: ImageDefaults,
  folders: readonly BoundFolder[],
): string[] {
  const out = `or leave ${name} to Compose (--without ${name})`;
  const same = (one: readonly string[], other: readonly string[]): boolean =>
    JSON.stringify(one) === JSON.stringify(other);
  return [
    ...(same(container.command, defaults.command) && same(container.entrypoint, defaults.entrypoint)
      ? []
      : [
          `${name} runs ${JSON.stringify([...container.entrypoint, ...container.command].join(" "))} instead of what its image says: a release is an image, so make that the image's CMD, ${out}`,
        ]),
    ...container.mounts
      .filter(
        ({ type, destination }) =>
          type === "bind" && !folders.some((each) => each.destination === destination),
      )
      .map(
        ({ source, destination, writable }) =>
          `${name} has ${source} of this machine at ${destination}${writable ? "" : ", to read,"} and a release's containers mount volumes only, which a folder that is written can become: put what is read into the image, ${out}`,
      ),
  ];
}

/** Volumes with a name of their own; what Docker made because the image wanted it goes with its container. Pure. */
export function volumesOf({ mounts }: Pick<ForeignContainer, "mounts">): Map<string, string> {
  return new Map(
    mounts.flatMap(({ volume, destination }) =>
      volume === undefined || /^[0-9a-f]{64}$/.test(volume) ? [] : [[destination, volume] as const],
    ),
  );
}
