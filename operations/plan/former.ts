import { loginRole } from "../../settings/names.ts";
import type { Settings } from "../../settings/types.ts";
import { routerConfig, type RouterConfig } from "../traffic/router-config.ts";
import type { GatewayPlan } from "../traffic/plan.ts";
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
 * one of those containers does not run. Weights come from the inputs of the last finished run.
 */
export function formerRoutes(settings: Settings, world: World): Former | undefined {
  const weights = world.journal?.weights ?? new Map<string, number>();
  const services = [...settings.services.values()].map((service) => {
    const servers = world.containers.flatMap(({ labels, running, address }) => {
      const release = labels.get("release") ?? "";
      const weight = weights.get(release);
      const serves =
        running && labels.get("service") === service.name && weight !== undefined && address !== undefined;
      return serves ? [{ address, port: service.port, weight, release }] : [];
    });
    return { name: service.name, public: service.public, containerPort: service.port, servers };
  });
  const complete =
    weights.size > 0 &&
    services.every(({ servers }) => new Set(servers.map(({ release }) => release)).size === weights.size);
  if (!complete) return undefined;
  const { hold, held, drain, browsers } = settings.gateway;
  const plan: GatewayPlan = { services, hold, held, drain, browsers };
  const databases = new Set(
    [...settings.services.values()].flatMap(({ database }) => (database === undefined ? [] : [database])),
  );
  const releases = [...weights.keys()];
  return {
    releases,
    roles: [...databases].flatMap((database) => releases.map((release) => loginRole(database, release))),
    // Users have met the other code meanwhile.
    config: routerConfig(plan, browsers === undefined ? 0 : Date.now() + browsers.for),
  };
}
