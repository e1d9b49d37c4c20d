import { z } from "zod";
import { docker, isMissing } from "../docker/run.ts";

/** A container of somebody else's making, as far as taking over from it goes. Its environment may hold secrets. */
export interface ForeignContainer {
  readonly name: string;
  readonly running: boolean;
  /** What it was started from, as it was named then, and the local image id. */
  readonly image: string;
  readonly imageId: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  /** What overrides the image's own entrypoint and command comes from here; null: nothing. */
  readonly command: readonly string[];
  readonly entrypoint: readonly string[];
  readonly user: string;
  readonly mounts: readonly ForeignMount[];
  /** Published ports: of the container, and where this machine listens for them. */
  readonly published: readonly PublishedPort[];
  readonly exposed: readonly number[];
  /** Networks by name, with the address on each. */
  readonly networks: ReadonlyMap<string, string>;
  readonly aliases: readonly string[];
  /** `CMD`, `CMD-SHELL` or `NONE`, and the rest of the health check; empty: none. */
  readonly healthcheck: readonly string[];
  /** Bytes; 0: no limit. */
  readonly memory: number;
  /** Seconds between SIGTERM and SIGKILL; undefined: Docker's 10. */
  readonly stopTimeout: number | undefined;
}

export interface ForeignMount {
  readonly type: string;
  /** Name of the volume; undefined for what is none. */
  readonly volume: string | undefined;
  readonly source: string;
  readonly destination: string;
  readonly writable: boolean;
}

export interface PublishedPort {
  readonly inner: number;
  readonly address: string;
  readonly port: number;
}

const texts = z.array(z.string()).nullish();
const inspected = z.array(
  z.object({
    Name: z.string(),
    Image: z.string(),
    State: z.object({ Running: z.boolean() }),
    Config: z.object({
      Image: z.string(),
      Env: texts,
      Labels: z.record(z.string(), z.string()).nullish(),
      Cmd: texts,
      Entrypoint: texts,
      User: z.string().default(""),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
      Healthcheck: z.object({ Test: texts }).nullish(),
      StopTimeout: z.number().nullish(),
    }),
    HostConfig: z.object({
      Memory: z.number().default(0),
      PortBindings: z
        .record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullable())
        .nullish(),
    }),
    Mounts: z
      .array(
        z.object({
          Type: z.string(),
          Name: z.string().optional(),
          Source: z.string(),
          Destination: z.string(),
          RW: z.boolean(),
        }),
      )
      .default([]),
    NetworkSettings: z.object({
      Networks: z.record(z.string(), z.object({ IPAddress: z.string(), Aliases: texts })),
    }),
  }),
);

/** The containers of these names or ids that exist, in the order asked for. */
export async function inspectForeign(names: readonly string[]): Promise<ForeignContainer[]> {
  const found = await Promise.all(names.map(inspectOne));
  return found.flatMap((container) => (container === undefined ? [] : [container]));
}

async function inspectOne(name: string): Promise<ForeignContainer | undefined> {
  try {
    const [container] = inspected.parse(JSON.parse(await docker(["inspect", "--type", "container", name])));
    return container === undefined ? undefined : foreign(container);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function foreign({ Config, HostConfig, ...container }: z.output<typeof inspected>[number]): ForeignContainer {
  const networks = Object.entries(container.NetworkSettings.Networks);
  return {
    name: container.Name.replace(/^\//, ""),
    running: container.State.Running,
    image: Config.Image,
    imageId: container.Image,
    environment: environmentOf(Config.Env ?? []),
    labels: new Map(Object.entries(Config.Labels ?? {})),
    command: Config.Cmd ?? [],
    entrypoint: Config.Entrypoint ?? [],
    user: Config.User,
    mounts: container.Mounts.map(({ Type, Name, Source, Destination, RW }) => ({
      type: Type,
      volume: Name,
      source: Source,
      destination: Destination,
      writable: RW,
    })),
    published: Object.entries(HostConfig.PortBindings ?? {}).flatMap(([inner, bindings]) =>
      (bindings ?? []).map(({ HostIp, HostPort }) => ({
        inner: Number.parseInt(inner, 10),
        address: HostIp === "" ? "0.0.0.0" : HostIp,
        port: Number(HostPort),
      })),
    ),
    exposed: Object.keys(Config.ExposedPorts ?? {}).map((port) => Number.parseInt(port, 10)),
    networks: new Map(networks.map(([name, { IPAddress }]) => [name, IPAddress])),
    aliases: networks.flatMap(([, { Aliases }]) => Aliases ?? []),
    healthcheck: Config.Healthcheck?.Test ?? [],
    memory: HostConfig.Memory,
    stopTimeout: Config.StopTimeout ?? undefined,
  };
}

/** `NAME=value` lines as Docker keeps them. */
export function environmentOf(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const at = line.indexOf("=");
      return at === -1 ? ([line, ""] as const) : ([line.slice(0, at), line.slice(at + 1)] as const);
    }),
  );
}

/** Names of running containers that have this volume mounted. */
export async function usersOf(volume: string): Promise<string[]> {
  const printed = await docker(["ps", "--filter", `volume=${volume}`, "--format", "{{.Names}}"]);
  return printed.split("\n").filter(Boolean);
}
