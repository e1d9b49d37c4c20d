import { DockerFailure, docker } from "../docker/run.ts";
import type { RouterConfig } from "./router-config.ts";
import { Refusal } from "../../settings/refusal.ts";

/**
 * Brings a router's configuration into force: tested by nginx, renamed into place, reloaded, and proven by its
 * generation's answer after every older worker stopped accepting. `unchanged`: it was in force already.
 * Repeatable; killed anywhere, the old configuration is in force or the new one.
 * Throws a Refusal `ROUTES_REFUSED` when nginx does not take it; the old one stays.
 */
export async function applyRoutes(router: string, config: RouterConfig): Promise<"applied" | "unchanged"> {
  try {
    const said = await docker(["exec", "-i", router, "routes", "apply"], {
      input: config.text,
      timeoutMs: 90_000,
    });
    return said === "unchanged" ? "unchanged" : "applied";
  } catch (error) {
    if (!(error instanceof DockerFailure) || (error.exitCode !== 3 && error.exitCode !== 4)) throw error;
    throw new Refusal({
      code: "ROUTES_REFUSED",
      found: `the router ${router} did not take its new routes: ${error.stderr}`,
      untouched: "The routes that were in force still are.",
      next: `docker logs --tail 20 ${router}`,
      cause: error,
    });
  }
}

/** The generation of the routes in force, `none` before the first. */
export async function readRoutes(router: string): Promise<string> {
  return docker(["exec", router, "routes", "show"]);
}
