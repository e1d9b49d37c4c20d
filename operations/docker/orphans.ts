import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { docker, isMissing } from "./run.ts";

const labelled = z.array(
  z.object({
    Labels: z.record(z.string(), z.string()).nullish(),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).optional(),
    Containers: z.record(z.string(), z.unknown()).nullish(),
  }),
);

/**
 * Removes a container that a killed run made and the engine does not know, so that its name is free again.
 * Throws a Refusal `NAME_TAKEN` when the container is not this stack's.
 */
export async function removeOrphanContainer(name: string, stack: string): Promise<void> {
  const found = await inspect("container", name);
  if (found === undefined) return;
  if (found.Config?.Labels?.["rollback.stack"] !== stack) throw taken("container", name, stack);
  // Stopped in order: it may be a server with data.
  await docker(["stop", "--time", "60", name], { timeoutMs: 120_000 });
  await docker(["rm", "-f", "-v", name]);
}

/** As `removeOrphanContainer`, for the network; one with containers in it is refused as `NETWORK_IN_USE`. */
export async function removeOrphanNetwork(name: string, stack: string): Promise<void> {
  const found = await inspect("network", name);
  if (found === undefined) return;
  if (found.Labels?.["rollback.stack"] !== stack) throw taken("network", name, stack);
  const attached = Object.keys(found.Containers ?? {}).length;
  if (attached > 0) {
    throw new Refusal({
      code: "NETWORK_IN_USE",
      found: `network ${name} exists, is not in the stack's state, and ${attached} container(s) are attached to it.`,
      untouched: "Nothing was removed.",
      next: `Run \`pulumi refresh\`, or look who uses it: docker network inspect ${name}`,
    });
  }
  await docker(["network", "rm", name]);
}

async function inspect(
  kind: "container" | "network",
  name: string,
): Promise<z.infer<typeof labelled>[number] | undefined> {
  try {
    return labelled.parse(JSON.parse(await docker(["inspect", "--type", kind, name])))[0];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function taken(kind: string, name: string, stack: string): Refusal {
  return new Refusal({
    code: "NAME_TAKEN",
    found: `a ${kind} named ${name} exists and does not belong to the stack ${stack}.`,
    untouched: "It was left alone.",
    next: `Rename or remove it, or give the stack another name:  docker inspect ${name}`,
  });
}
