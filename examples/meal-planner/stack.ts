import { catalogue, type CatalogueRelease, type ReleaseName } from "./catalogue.ts";

/** What a stack of the Meal Planner is to be. Only `live` has no default. */
export interface StackOptions {
  /** Releases with traffic and their weights, which add up to 100. */
  readonly live: Readonly<Partial<Record<ReleaseName, number>>>;
  /** Releases kept ready without traffic (default none). */
  readonly standby?: readonly ReleaseName[];
  /** The catalogue's releases (default: those that are live or standby), always in the order they came out. */
  readonly releases?: readonly ReleaseName[];
  /** Host ports; `mealie` undefined: not public. Default 8000 for the planner, 5432 for PostgreSQL. */
  readonly ports?: { readonly planner?: number; readonly mealie?: number; readonly postgres?: number };
  /** Docker volumes (default `pgdata-1` and `dumps`). */
  readonly volumes?: { readonly data?: string; readonly dumps?: string };
  /** The Mealie flag by release (default: as the catalogue says). */
  readonly mealieFlag?: Readonly<Partial<Record<ReleaseName, boolean>>>;
  /** Image ids or repository digests by image, e.g. `meal-planner:v1.2.0`; those given are pinned (default none). */
  readonly digests?: Readonly<Record<string, string>>;
  /** PostgreSQL's settings (default none). */
  readonly settings?: Readonly<Record<string, string>>;
  /** Containers of the planner per release (default 1). */
  readonly replicas?: number;
  /** With a Redis that keeps answers of Mealie (default true). */
  readonly redis?: boolean;
  /** Folder of the example's migrations, relative to the stack file (default as in this repository). */
  readonly migrations?: string;
  readonly gateway?: Readonly<Record<string, string | number>>;
  /** Default: no bake time, so that a try-out is not kept waiting. */
  readonly safety?: Readonly<Record<string, string | number>>;
}

/** The `config` of a stack file: what `rollback:secrets` adds is set by `pulumi config set --secret`. */
export interface StackConfiguration {
  readonly "rollback:releases": Readonly<Record<string, CatalogueRelease>>;
  readonly "rollback:live": Readonly<Record<string, number>>;
  readonly "rollback:standby"?: readonly string[];
  readonly "rollback:services": Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly "rollback:databases": Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly "rollback:cluster": Readonly<Record<string, unknown>>;
  readonly "rollback:gateway"?: Readonly<Record<string, unknown>>;
  readonly "rollback:caches"?: Readonly<Record<string, unknown>>;
  readonly "rollback:safety": Readonly<Record<string, unknown>>;
}

/** Names of the secrets that the configuration refers to; `db` is the one that all passwords are made from. */
export const secretNames = ["db", "apiKey"] as const;

/**
 * The whole configuration of a Meal Planner stack, without its secrets. Pure; what is not asked for is left out, so that
 * the file shows what was decided. Write it as `{ config: stackConfiguration(…) }` in YAML.
 */
export function stackConfiguration(options: StackOptions): StackConfiguration {
  const { live, standby = [], gateway, safety, redis = true } = options;
  const named: readonly string[] = options.releases ?? [...Object.keys(live), ...standby];
  return {
    "rollback:releases": Object.fromEntries(
      Object.entries(catalogue)
        .filter(([release]) => named.includes(release))
        .map(([release, entry]) => [release, withChoices(release, entry, options)]),
    ),
    "rollback:live": live,
    ...(standby.length > 0 && { "rollback:standby": standby }),
    "rollback:services": services(options, redis),
    "rollback:databases": databases(options.migrations ?? "examples/meal-planner/migrations"),
    "rollback:cluster": cluster(options),
    ...(gateway && { "rollback:gateway": gateway }),
    ...(redis && { "rollback:caches": { redis: { pattern: "meals:*" } } }),
    "rollback:safety": { bake: "0s", ...safety },
  };
}

function withChoices(release: string, entry: CatalogueRelease, options: StackOptions): CatalogueRelease {
  const flag = Object.entries(options.mealieFlag ?? {}).find(([name]) => name === release)?.[1];
  const services = Object.entries(entry.services).map(([service, { image, flags }]) => {
    const digest = options.digests?.[image];
    const chosen = flags && flag !== undefined ? { FEATURE_MEALIE_ENABLED: String(flag) } : flags;
    return [service, { image, ...(digest !== undefined && { digest }), ...(chosen && { flags: chosen }) }];
  });
  return { ...entry, services: Object.fromEntries(services) as CatalogueRelease["services"] };
}

function services(
  { ports, replicas }: StackOptions,
  redis: boolean,
): StackConfiguration["rollback:services"] {
  return {
    "meal-planner": {
      port: 8080,
      public: { port: ports?.planner ?? 8000 },
      database: "meal_planner",
      health: "/health",
      smoke: ["/api/logs", "/api/meal-plans", { path: "/api/meals", timeout: "5s" }],
      ...(replicas !== undefined && { replicas }),
      env: {
        DATABASE_URL: "${database.url}",
        MEALIE_URL: "${services.mealie.url}",
        ...(redis && { REDIS_URL: "${caches.redis.url}" }),
        API_KEY: { secret: "apiKey" },
        RELEASE: "${release}",
      },
      reload: { path: "/admin/reload-config", headers: { "x-api-key": { secret: "apiKey" } } },
      expectLog: ["configuration reloaded"],
    },
    mealie: {
      // A port of its own: between services the router tells them apart by port.
      port: 9000,
      ...(ports?.mealie !== undefined && { public: { port: ports.mealie } }),
      database: "mealie",
      health: "/health",
      smoke: [{ path: "/api/about", json: { name: "mealie" } }],
      env: { DATABASE_URL: "${database.url}", RELEASE: "${release}", PORT: "9000" },
    },
  };
}

function databases(migrations: string): StackConfiguration["rollback:databases"] {
  return {
    meal_planner: {
      migrations: `${migrations}/meal_planner`,
      layout: "meal-planner",
      keyTables: ["food_logs", "meals", "auto_meal_plans", "meal_selections"],
      sessions: { table: "sessions", where: "created_at < now() - interval '1 hour'" },
      extensions: ["pg_trgm"],
    },
    mealie: { migrations: `${migrations}/mealie`, layout: "meal-planner", keyTables: ["recipes"] },
  };
}

function cluster({ ports, volumes, settings }: StackOptions): StackConfiguration["rollback:cluster"] {
  return {
    image: "rollback-postgres:17.1",
    volume: volumes?.data ?? "pgdata-1",
    port: ports?.postgres ?? 5432,
    ...(settings && { settings }),
    backup: { repository: volumes?.dumps ?? "dumps", retention: { dumps: 5 } },
  };
}
