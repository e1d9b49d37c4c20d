import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { dataFolder } from "../../settings/archive.ts";
import { docker, DockerFailure, isMissing } from "./run.ts";

/** A container that carries this stack's label. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** The container's labels that begin with `rollback.`, without that prefix. */
  readonly labels: ReadonlyMap<string, string>;
  readonly running: boolean;
  /** Docker is about to start it again; it does not run. */
  readonly restarting: boolean;
  /** Address on the stack's network; undefined while it is not running and has no fixed one. */
  readonly address: string | undefined;
  /** When the container last started, milliseconds since the epoch; negative when it never was. */
  readonly startedAt: number;
  /** Ports of the host that it publishes, or will once it runs. */
  readonly ports: readonly number[];
  /** Volume with PostgreSQL's data; undefined for what has none. */
  readonly dataVolume?: string | undefined;
}

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Image: z.string(),
    State: z.object({ Running: z.boolean(), Restarting: z.boolean(), StartedAt: z.string() }),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
    HostConfig: z.object({
      PortBindings: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullable()).nullish(),
    }),
    Mounts: z.array(z.object({ Name: z.string().optional(), Destination: z.string() })).default([]),
    NetworkSettings: z.object({
      Networks: z.record(
        z.string(),
        z.object({
          IPAddress: z.string(),
          IPAMConfig: z.object({ IPv4Address: z.string().optional() }).nullish(),
        }),
      ),
    }),
  }),
);

/** Every container of the stack, running or not. `stack` is the value of the label `rollback.stack`. */
export async function observeContainers(stack: string, network: string): Promise<ObservedContainer[]> {
  const ids = (await docker(["ps", "-aq", "--no-trunc", "--filter", `label=rollback.stack=${stack}`]))
    .split("\n")
    .filter(Boolean);
  if (ids.length === 0) return [];
  try {
    const answer = inspected.parse(JSON.parse(await docker(["inspect", "--type", "container", ...ids])));
    return answer.map((container) => toObserved(container, network));
  } catch (error) {
    // One vanished between the two commands: look again.
    if (isMissing(error)) return observeContainers(stack, network);
    throw error;
  }
}

/**
 * As `observeContainers`, once none of these is about to be started again by Docker any more, as all are when Docker itself
 * was; after ten seconds they are taken as they are.
 */
export async function observeSettled(
  stack: string,
  network: string,
  names: readonly string[],
): Promise<ObservedContainer[]> {
  const end = performance.now() + 10_000;
  for (;;) {
    const found = await observeContainers(stack, network);
    const waits = found.some(({ name, restarting }) => restarting && names.includes(name));
    if (!waits || performance.now() > end) return found;
    await sleep(250);
  }
}

function toObserved(container: z.infer<typeof inspected>[number], network: string): ObservedContainer {
  const attached = container.NetworkSettings.Networks[network];
  const fixed = attached?.IPAMConfig?.IPv4Address;
  const address = attached?.IPAddress === "" || attached === undefined ? fixed : attached.IPAddress;
  const labels = Object.entries(container.Config.Labels ?? {})
    .filter(([key]) => key.startsWith("rollback."))
    .map(([key, value]) => [key.slice("rollback.".length), value] as const);
  return {
    id: container.Id,
    name: container.Name.replace(/^\//, ""),
    image: container.Image,
    labels: new Map(labels),
    // Docker calls a container that waits for its next start running.
    running: container.State.Running && !container.State.Restarting,
    restarting: container.State.Restarting,
    address,
    startedAt: Date.parse(container.State.StartedAt),
    ports: Object.values(container.HostConfig.PortBindings ?? {}).flatMap((bindings) =>
      (bindings ?? []).map(({ HostPort }) => Number(HostPort)),
    ),
    dataVolume: container.Mounts.find(({ Destination }) => Destination === dataFolder)?.Name,
  };
}

const images = z.array(
  z.object({
    Id: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    RepoDigests: z.array(z.string()).nullish(),
  }),
);

/**
 * The local image id of each reference that is here; references that are not are left out.
 * A reference is a tag (`meal-planner:v1.2.0`), a digest reference (`name@sha256:…`) or an image id.
 */
export async function observeImages(references: readonly string[]): Promise<Map<string, string>> {
  const wanted = [...new Set(references)];
  if (wanted.length === 0) return new Map();
  // One command for all of them: each is a process, and this runs at every start of the program.
  const known = new Map((await inspectImages(wanted)).flatMap(namesOf));
  const others = wanted.filter((reference) => !known.has(reference));
  // A name that Docker shortens, such as docker.io/library/x:1, is not found in its own words: ask for it by itself.
  const alone = await Promise.all(
    others.map(async (reference) => [reference, (await inspectImages([reference]))[0]?.Id] as const),
  );
  for (const [reference, id] of alone) if (id !== undefined) known.set(reference, id);
  return new Map(wanted.flatMap((reference) => [[reference, known.get(reference)] as const].filter(isFound)));
}

function isFound(entry: readonly [string, string | undefined]): entry is readonly [string, string] {
  return entry[1] !== undefined;
}

function namesOf({ Id, RepoTags, RepoDigests }: z.infer<typeof images>[number]): [string, string][] {
  return [Id, ...(RepoTags ?? []), ...(RepoDigests ?? [])].map((name) => [name, Id]);
}

/** Those of the images that are here; Docker prints them also when others are missing. */
async function inspectImages(references: readonly string[]): Promise<z.infer<typeof images>> {
  try {
    return images.parse(JSON.parse(await docker(["image", "inspect", ...references])));
  } catch (error) {
    if (error instanceof DockerFailure && isMissing(error))
      return images.parse(JSON.parse(error.stdout === "" ? "[]" : error.stdout));
    throw error;
  }
}

const networks = z.array(
  z.object({
    Name: z.string(),
    IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().optional() })).nullish() }),
  }),
);

/** The IPv4 subnet of one network; undefined: there is no such network. */
export async function observeSubnet(network: string): Promise<string | undefined> {
  try {
    return subnetsOf(await docker(["network", "inspect", network])).get(network);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** IPv4 subnets in use by Docker, by network name. */
export async function observeSubnets(): Promise<Map<string, string>> {
  const names = (await docker(["network", "ls", "--filter", "driver=bridge", "-q"]))
    .split("\n")
    .filter(Boolean);
  if (names.length === 0) return new Map();
  try {
    return subnetsOf(await docker(["network", "inspect", ...names]));
  } catch (error) {
    if (isMissing(error)) return observeSubnets();
    throw error;
  }
}

function subnetsOf(inspection: string): Map<string, string> {
  return new Map(
    networks
      .parse(JSON.parse(inspection))
      .flatMap(({ Name, IPAM }) =>
        (IPAM.Config ?? []).flatMap(({ Subnet }) => (Subnet?.includes(".") ? [[Name, Subnet] as const] : [])),
      ),
  );
}

/** Whether a volume of this name exists. */
export async function volumeExists(name: string): Promise<boolean> {
  try {
    await docker(["volume", "inspect", name]);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Whether a container of this name runs at the moment. */
export async function isRunning(name: string): Promise<boolean> {
  try {
    return (
      (await docker(["inspect", "--type", "container", "--format", "{{.State.Running}}", name])) === "true"
    );
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
