import { DockerFailure, docker } from "../docker/run.ts";
import { freshUntil } from "./browsers.ts";
import type { RouterConfig } from "./router-config.ts";
import { overtaken } from "../journal/run-token.ts";
import { Refusal } from "../../settings/refusal.ts";

/**
 * Brings a router's configuration into force: tested by nginx, renamed into place, reloaded, and proven by its
 * generation's answer after every older worker stopped accepting. `unchanged`: it was in force already.
 * Repeatable; killed anywhere, the old configuration is in force or the new one.
 * Throws a Refusal `ROUTES_REFUSED` when nginx does not take it, `RUN_OVERTAKEN` when another run has claimed the routes;
 * the old one stays.
 */
export async function applyRoutes(
  router: string,
  config: RouterConfig,
  run: string,
): Promise<"applied" | "unchanged"> {
  const said = await changeRoutes(router, run, ["apply", run], config.text);
  return said === "unchanged" ? "unchanged" : "applied";
}

/**
 * From here on only this run may change the routes: a program of an earlier one that lives on is refused. Throws a Refusal
 * `ROUTES_REFUSED` when the router cannot store that, e.g. because its disk is full.
 */
export async function claimRoutes(router: string, run: string): Promise<void> {
  await changeRoutes(router, run, ["claim", run], "");
}

async function changeRoutes(
  router: string,
  run: string,
  args: readonly string[],
  input: string,
): Promise<string> {
  try {
    return await docker(["exec", "-i", router, "routes", ...args], { input, timeoutMs: 90_000 });
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    if (error.exitCode === 5) throw overtaken(run, error);
    if (error.exitCode !== 3 && error.exitCode !== 4) throw error;
    throw new Refusal({
      code: "ROUTES_REFUSED",
      found: `the router ${router} did not take its new routes: ${withoutNotices(error.stderr)}`,
      untouched: "The routes that were in force still are.",
      next: `docker logs --tail 20 ${router}`,
      cause: error,
    });
  }
}

/** What nginx says while it starts, though nothing is wrong, only hides what is. */
function withoutNotices(said: string): string {
  return said
    .split("\n")
    .filter((line) => !line.includes(" [notice] "))
    .join("\n");
}

/** The generation of the routes in force, `none` before the first. */
export async function readRoutes(router: string): Promise<string> {
  return docker(["exec", router, "routes", "show"]);
}

/** When browsers stop being told of other code, by the routes in force; epoch milliseconds, 0: not at all. */
export async function readFreshUntil(router: string): Promise<number> {
  return freshUntil(await docker(["exec", router, "head", "-n", "2", "/etc/gateway/routes/nginx.conf"]));
}
