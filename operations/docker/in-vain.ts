import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { docker, isMissing } from "./run.ts";

const state = z.tuple([z.coerce.number(), z.string(), z.coerce.number()]);

/** Restarts by Docker after which a container counts as one that cannot start; a crash recovery needs none. */
const enough = 2;

/**
 * Throws a Refusal `CONTAINER_STOPS` with its last words when a container that is waited for has ended, or keeps ending
 * right after its start, so that nobody waits for it to the deadline. One that is not there is none of its business.
 */
export async function refuseIfInVain(container: string): Promise<void> {
  const format = "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}";
  let shown: string;
  try {
    shown = await docker(["inspect", "--type", "container", "--format", format, container]);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  const [restarts, status, exitCode] = state.parse(shown.split(" "));
  if (status !== "exited" && restarts < enough) return;
  throw new Refusal({
    code: "CONTAINER_STOPS",
    found: `${container} does not stay up${exitCode === 0 ? "" : ` (exit code ${exitCode})`}: ${await lastWords(container)}`,
    next: `docker logs --tail 50 ${container}`,
  });
}

async function lastWords(container: string): Promise<string> {
  const log = await docker(["logs", "--tail", "20", container], { errorsToo: true });
  return log.split("\n").findLast((line) => line.trim() !== "") ?? "it said nothing";
}
