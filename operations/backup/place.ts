import { randomBytes } from "node:crypto";
import { docker, dockerStream } from "../docker/run.ts";
import type { Server } from "../database/connection.ts";

/** Where dumps are kept: a Docker volume, or a folder of the Docker host. */
export type DumpRepository = { readonly volume: string } | { readonly folder: string };

/** A running container that has PostgreSQL's tools and the repository, and how these tools reach the server from there. */
export interface DumpPlace {
  readonly container: string;
  readonly repository: DumpRepository;
  /** For libpq in the container; never holds a password. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Path of the repository inside every container that has it. */
export const dumpsFolder = "/var/lib/dumps";

/** Milliseconds; a dump takes as long as it takes. */
const patience = 24 * 3600_000;

/** The stack's own PostgreSQL container: as its superuser over the socket, no password involved. */
export function ownPlace(container: string, repository: DumpRepository): DumpPlace {
  return { container, repository, environment: { PGUSER: "postgres" } };
}

export interface HelperRequest {
  /** Image with PostgreSQL's tools of at least the server's version. */
  readonly image: string;
  readonly repository: DumpRepository;
  /** Server as seen from inside a container; undefined where nothing is dumped, only looked at. */
  readonly server: Server | undefined;
  /** Docker network on which the server is; undefined: the default one. */
  readonly network?: string | undefined;
  /** Beginning of the container's name, and its labels. */
  readonly prefix: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * A passing container for a server that is not ours, or while ours does not run. The password goes in over standard input and
 * into a file in memory. The container is removed at the end; that of a killed program ends by itself after a day.
 */
export async function withHelper<T>(
  request: HelperRequest,
  work: (place: DumpPlace) => Promise<T>,
): Promise<T> {
  const container = `${request.prefix}-dump-${randomBytes(4).toString("hex")}`;
  await docker(helperArguments(container, request));
  try {
    const { server, repository } = request;
    const environment = server === undefined ? {} : await handOver(container, server);
    return await work({ container, repository, environment });
  } finally {
    await docker(["rm", "-f", container]);
  }
}

/** Arguments for docker; pure. */
export function helperArguments(
  container: string,
  { image, repository, network, labels = {} }: HelperRequest,
): string[] {
  const source = "volume" in repository ? repository.volume : repository.folder;
  return [
    ...["run", "-d", "--rm", "--name", container, "-u", "postgres", "--entrypoint", "sleep"],
    ...Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    ...(network === undefined ? [] : ["--network", network]),
    ...["--add-host", "host.docker.internal:host-gateway", "-v", `${source}:${dumpsFolder}`, image, "86400"],
  ];
}

async function handOver(container: string, server: Server): Promise<DumpPlace["environment"]> {
  const passfile = "/dev/shm/passfile";
  const script = `umask 077; cat > ${passfile}`;
  await docker(["exec", "-i", "-u", "postgres", container, "sh", "-c", script], {
    input: passfileLine(server),
  });
  return {
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGSSLMODE: server.ssl,
    PGPASSFILE: passfile,
  };
}

/** https://www.postgresql.org/docs/17/libpq-pgpass.html */
export function passfileLine({ password }: Pick<Server, "password">): string {
  return `*:*:*:*:${password.replaceAll(/[\\:]/g, "\\$&")}\n`;
}

/** Runs one command as `postgres` where the dumps are; what it writes is its own. Arguments are visible in the process list: no secrets. */
export async function runIn(
  { container, environment }: DumpPlace,
  command: readonly string[],
  { input, applicationName }: { readonly input?: string; readonly applicationName?: string } = {},
): Promise<string> {
  const variables = { ...environment, PGAPPNAME: applicationName ?? "rollback dump", LC_ALL: "C.UTF-8" };
  const settings = Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  return docker(["exec", "-i", "-u", "postgres", ...settings, container, ...withPrivateFiles, ...command], {
    timeoutMs: patience,
    input: input ?? "",
  });
}

/** Before a command: what it writes is not readable by others, from the first byte on. */
export const withPrivateFiles = ["sh", "-c", 'umask 077; exec "$@"', "sh"];

/** Runs a few lines of shell there; what varies goes in as `$1`, `$2`, …, so that nothing has to be quoted. */
export function shellIn(
  place: DumpPlace,
  script: string,
  values: readonly string[],
  options: { readonly input?: string } = {},
): Promise<string> {
  return runIn(place, ["sh", "-c", `set -eu; ${script}`, "sh", ...values], options);
}

/** As `shellIn`, with standard input as it is made: what is big is never in memory as a whole. An error of it ends the command. */
export async function streamIn(
  { container, environment }: DumpPlace,
  script: string,
  values: readonly string[],
  input: AsyncIterable<string>,
): Promise<void> {
  const settings = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const shell = ["sh", "-c", `set -eu; ${script}`, "sh", ...values];
  await dockerStream(
    ["exec", "-i", "-u", "postgres", ...settings, container, ...withPrivateFiles, ...shell],
    input,
  );
}

/** Where a person finds a dump; without a name, where all of them are. */
export function locate({ repository }: DumpPlace, name = ""): string {
  if ("folder" in repository) return name === "" ? repository.folder : `${repository.folder}/${name}`;
  return name === "" ? `volume ${repository.volume}` : `${name} in volume ${repository.volume}`;
}
