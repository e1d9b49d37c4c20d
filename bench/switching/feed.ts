import path from "node:path";
import { docker } from "../../operations/docker/run.ts";

/** The image of a service with event streams and websockets; the same for every release. */
export const feedImage = "rollback-bench-feed:1";

/** Where it listens, in its container. */
export const feedPort = 9100;

/** Builds its image from the Meal Planner's, where it is missing or older than its files. */
export async function buildFeed(): Promise<void> {
  await docker(["build", "-q", "-t", feedImage, path.join(import.meta.dirname, "feed")], {
    timeoutMs: 300_000,
  });
}
