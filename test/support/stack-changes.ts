import { z } from "zod";
import type { Config } from "./stack.ts";

const services = z.record(z.string(), z.looseObject({}));

/** The configuration with a change of every service's entry. */
function withServices(
  config: Config,
  change: (service: Record<string, unknown>, name: string) => Record<string, unknown>,
): Config {
  const changed = Object.entries(services.parse(config["rollback:services"])).map(
    ([name, service]) => [name, change(service, name)] as const,
  );
  return { ...config, "rollback:services": Object.fromEntries(changed) };
}

/** A target that is not healthy within this time, instead of a minute, has failed. */
export function withHealthDeadline(config: Config, deadline: string): Config {
  return withServices(config, (service) => ({ ...service, healthDeadline: deadline }));
}

/** The planner is verified by a script as well. */
export function withSmokeScript(config: Config, script: string): Config {
  return withServices(config, (service, name) =>
    name === "meal-planner" ? { ...service, smokeScript: script } : service,
  );
}

/** The planner's flags reach it by a restart. */
export function withoutReload(config: Config): Config {
  return withServices(config, (service, name) =>
    name === "meal-planner"
      ? Object.fromEntries(Object.entries(service).filter(([key]) => key !== "reload" && key !== "expectLog"))
      : service,
  );
}
