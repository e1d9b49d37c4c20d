import { loginRole } from "../../settings/names.ts";
import type { Settings } from "../../settings/types.ts";
import { routerConfig, type RouterConfig } from "../traffic/router-config.ts";
import { routesFor, type GatewayPlan } from "../traffic/plan.ts";
import type { World } from "./world.ts";

/** The way back to what was serving when the run began, as far as routes and roles go. */
export interface Former {
  readonly releases: readonly string[];
  readonly roles: readonly string[];
  /** The router's configuration. */
  readonly config: RouterConfig;
}

/**
 * The routes to the containers that served before this run, with the weights they had; undefined when nothing served, or
 * a release that did has no running container for a service. Weights come from the inputs of the last finished run.
 * `leftOut`: a container that shall not be among them.
 */
export function formerPlan(settings: Settings, world: World, leftOut?: string): GatewayPlan | undefined {
  const weights = world.journal?.weights ?? new Map<string, number>();
  const serving = world.containers.flatMap(({ name, labels, running, address }) => {
    const [release = "", service = ""] = [labels.get("release"), labels.get("service")];
    const serves = running && address !== undefined && weights.has(release) && name !== leftOut;
    // Of a unit; a container listens on its service's.
    const port = labels.get("port");
    return serves
      ? [{ service, release, address, ...(port === undefined ? {} : { port: Number(port) }) }]
      : [];
  });
  const complete = [...settings.services.keys()].every((service) =>
    [...weights.keys()].every((release) =>
      serving.some((each) => each.service === service && each.release === release),
    ),
  );
  if (weights.size === 0 || !complete) return undefined;
  const live = [...weights]
    .map(([release, weight]) => ({ release, weight }))
    .toSorted(
      (one, other) =>
        other.weight - one.weight || one.release.localeCompare(other.release, "en", { numeric: true }),
    );
  return routesFor({ ...settings, live }, serving);
}

/** The way back to what was serving when the run began; undefined when it is not there any more. */
export function formerRoutes(settings: Settings, world: World): Former | undefined {
  const plan = formerPlan(settings, world);
  if (plan === undefined) return undefined;
  const { browsers } = settings.gateway;
  const databases = new Set(
    [...settings.services.values()].flatMap(({ database }) => (database === undefined ? [] : [database])),
  );
  const releases = [...(world.journal?.weights.keys() ?? [])];
  return {
    releases,
    roles: [...databases].flatMap((database) => releases.map((release) => loginRole(database, release))),
    // Users have met the other code meanwhile.
    config: routerConfig(plan, browsers === undefined ? 0 : Date.now() + browsers.for),
  };
}
