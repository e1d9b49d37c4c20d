import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { docker, isMissing } from "../docker/run.ts";
import { checkFrontFolder, readFrontFile } from "../traffic/front-file.ts";
import { readFront, type Front, type FrontRecord } from "../traffic/front-config.ts";

const inspected = z.array(
  z.object({
    State: z.object({ Running: z.boolean() }),
    NetworkSettings: z.object({ Networks: z.record(z.string(), z.unknown()) }),
  }),
);

/**
 * Whether an existing nginx can be given the stack's file at all; asked by every run, before its door would be made anew.
 * Throws the Refusals `FRONT_FOLDER` and `FRONT_CONTAINER`.
 */
export async function checkFront(front: Front | undefined): Promise<void> {
  if (front === undefined) return;
  await checkFrontFolder(front.folder);
  await readFrontFile(front);
  if (front.container !== undefined) await checkContainer(front.container);
}

async function checkContainer({ name, network }: NonNullable<Front["container"]>): Promise<void> {
  const refuse = (found: string, next: string): Refusal =>
    new Refusal({ code: "FRONT_CONTAINER", found, untouched: "Nothing was changed.", next });
  let text: string;
  try {
    text = await docker(["inspect", "--type", "container", name]);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw refuse(
      `rollback:gateway.existing.container names ${name}, and there is no such container.`,
      "docker ps    # shows which there are",
    );
  }
  const [container] = inspected.parse(JSON.parse(text));
  if (container?.State.Running !== true)
    throw refuse(`the container ${name} of the existing nginx does not run.`, `docker start ${name}`);
  const networks = Object.keys(container.NetworkSettings.Networks);
  if (networks.includes(network)) return;
  throw refuse(
    `the container ${name} of the existing nginx is not on the network ${network}, but on ${networks.join(", ") || "none"}.`,
    "Name one of its networks in rollback:gateway.existing.container.network; Docker's own `bridge` knows no names, so make one of your own for it:  docker network create",
  );
}

/** Ports on which an nginx still listens for the stack that will no longer stand in front of it. */
export async function portsOf(former: FrontRecord | undefined): Promise<number[]> {
  const text = former === undefined ? undefined : await readFrontFile(former);
  return text === undefined ? [] : readFront(text).listeners.map(({ port }) => port);
}
