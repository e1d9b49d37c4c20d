import { z } from "zod";
import { docker, isMissing } from "../../operations/docker/run.ts";

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    State: z.object({ Running: z.boolean(), StartedAt: z.string() }),
    Config: z.object({
      Image: z.string(),
      User: z.string(),
      Env: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    }),
    HostConfig: z.object({ Privileged: z.boolean() }),
    NetworkSettings: z.object({
      Ports: z
        .record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullish())
        .nullish(),
    }),
  }),
);

/** A container as Docker shows it. */
export interface InspectedContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly running: boolean;
  readonly startedAt: string;
  readonly user: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `address:port` on the host. */
  readonly listens: readonly string[];
}

const filter = (stack: string): string[] => ["--filter", `label=rollback.stack=${stack}`];
const lines = (text: string): string[] => text.split("\n").filter(Boolean);

/** Every container with the label of this stack (`project/stack`), running or not, by name. */
export async function containersOf(stack: string): Promise<InspectedContainer[]> {
  const ids = lines(await docker(["ps", "-aq", "--no-trunc", ...filter(stack)]));
  if (ids.length === 0) return [];
  const found = inspected.parse(JSON.parse(await docker(["inspect", "--type", "container", ...ids])));
  return found
    .map((container) => ({
      id: container.Id,
      name: container.Name.replace(/^\//, ""),
      image: container.Config.Image,
      running: container.State.Running,
      startedAt: container.State.StartedAt,
      user: container.Config.User,
      labels: container.Config.Labels ?? {},
      listens: Object.values(container.NetworkSettings.Ports ?? {}).flatMap((bound) =>
        (bound ?? []).map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}`),
      ),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What `docker inspect` says of every container of the stack, as text; to look for what must not be in it. */
export async function inspectionOf(stack: string): Promise<string> {
  const ids = lines(await docker(["ps", "-aq", ...filter(stack)]));
  return ids.length === 0 ? "" : docker(["inspect", ...ids]);
}

/** User ids under which the processes of a running container run. */
export async function userIdsIn(container: string): Promise<number[]> {
  // Docker asks for the column of process ids, and keeps those of the container.
  const listing = await docker(["top", container, "-eo", "pid,uid"]);
  return [
    ...new Set(
      lines(listing)
        .slice(1)
        .map((line) => Number(line.trim().split(/\s+/)[1])),
    ),
  ];
}

/**
 * Removes what carries the label of this stack (`project/stack`), and the volumes named, which outlive a stack on
 * purpose. Looks again until nothing is left: a killed engine's plugin may still be at work. Safe to repeat.
 */
export async function removeStack(stack: string, volumes: readonly string[]): Promise<void> {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const containers = lines(await docker(["ps", "-aq", ...filter(stack)]));
    if (containers.length > 0) await unlessGone(docker(["rm", "-f", "-v", ...containers]));
    const networks = lines(await docker(["network", "ls", "-q", ...filter(stack)]));
    if (networks.length > 0) await unlessGone(docker(["network", "rm", ...networks]));
    const labelled = lines(await docker(["volume", "ls", "-q", ...filter(stack)]));
    const all = [...new Set([...labelled, ...volumes])];
    if (all.length > 0) await unlessGone(docker(["volume", "rm", "-f", ...all]));
    if (containers.length + networks.length + labelled.length === 0) return;
  }
}

async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
