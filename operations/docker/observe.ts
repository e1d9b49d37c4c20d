import { z } from "zod";
import { docker, isMissing } from "./run.ts";

/** A container that carries this stack's label. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** The container's labels that begin with `rollback.`, without that prefix. */
  readonly labels: ReadonlyMap<string, string>;
  readonly running: boolean;
  /** Address on the stack's network; undefined while it is not running and has no fixed one. */
  readonly address: string | undefined;
  /** When the container last started, milliseconds since the epoch. */
  readonly startedAt: number;
}

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Image: z.string(),
    State: z.object({ Running: z.boolean(), StartedAt: z.string() }),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
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
    running: container.State.Running,
    address,
    startedAt: Date.parse(container.State.StartedAt),
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
  const found = await Promise.all(
    [...new Set(references)].map(async (reference) => {
      try {
        const [image] = images.parse(JSON.parse(await docker(["image", "inspect", reference])));
        return image === undefined ? undefined : ([reference, image.Id] as const);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    }),
  );
  return new Map(found.filter((entry) => entry !== undefined));
}

const networks = z.array(
  z.object({
    Name: z.string(),
    IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().optional() })).nullish() }),
  }),
);

/** IPv4 subnets in use by Docker, by network name. */
export async function observeSubnets(): Promise<Map<string, string>> {
  const names = (await docker(["network", "ls", "--filter", "driver=bridge", "-q"]))
    .split("\n")
    .filter(Boolean);
  if (names.length === 0) return new Map();
  try {
    const all = networks.parse(JSON.parse(await docker(["network", "inspect", ...names])));
    return new Map(
      all.flatMap(({ Name, IPAM }) =>
        (IPAM.Config ?? []).flatMap(({ Subnet }) => (Subnet?.includes(".") ? [[Name, Subnet] as const] : [])),
      ),
    );
  } catch (error) {
    if (isMissing(error)) return observeSubnets();
    throw error;
  }
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
