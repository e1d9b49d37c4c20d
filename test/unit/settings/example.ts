/** The full example of the contract, as Pulumi hands it out, for tests to change one thing in. */
import type { RawConfiguration } from "../../../settings/raw.ts";

/** A configuration with every key of the contract, the four that are not carried out yet included. */
export const wholeContract = {
  releases: {
    "1.2.0": {
      services: {
        "meal-planner": {
          image: "meal-planner:v1.2.0",
          digest: `sha256:${"0a".repeat(32)}`,
          flags: { FEATURE_MEALIE_ENABLED: "true" },
        },
        mealie: { image: "mealie:v1.0.3" },
      },
      schema: { meal_planner: "22", mealie: "4" },
      compatible: { meal_planner: "22..23" },
    },
    "1.2.1": {
      services: { "meal-planner": { image: "meal-planner:v1.2.1" }, mealie: { image: "mealie:v1.0.3" } },
      schema: { meal_planner: "23", mealie: "4" },
    },
  },
  live: { "1.2.1": 100 },
  standby: ["1.2.0"],
  services: {
    "meal-planner": {
      port: 8080,
      public: { port: 8000 },
      database: "meal_planner",
      health: "/health",
      healthDeadline: "30s",
      smoke: [
        "/api/logs",
        {
          method: "POST",
          path: "/api/meals",
          status: 201,
          body: "{}",
          json: { "items.0.id": 7, ok: true, none: null },
        },
      ],
      replicas: 2,
      env: {
        DATABASE_URL: "${database.url}",
        MEALIE_URL: "${services.mealie.url}/api",
        REDIS_URL: "${caches.redis.url}",
        RELEASE_NAME: "v${release}",
        API_KEY: { secret: "apiKey" },
      },
      reload: "/admin/reload-config",
      expectLog: ["using legacy"],
      memory: "256MB",
      user: "1000:1000",
      stopGrace: "20s",
    },
    mealie: { port: 9000, health: "/api/about", database: "mealie" },
  },
  databases: {
    meal_planner: {
      migrations: "examples/meal-planner/migrations",
      layout: "meal-planner",
      keyTables: ["food_logs", { table: "public.sessions", tolerance: "5%" }],
      sessions: { table: "sessions", where: "created_at < now() - interval '1 hour'" },
      extensions: ["pgcrypto", "uuid-ossp"],
      writers: ["reporting"],
    },
    mealie: { migrations: "/srv/mealie/migrations" },
  },
  cluster: {
    image: "rollback-postgres:17.1",
    volume: "pgdata-1",
    port: 5433,
    address: "127.0.0.1",
    settings: { work_mem: "64MB", max_connections: 200, jit: false },
    backup: { repository: "pgdumps", schedule: "30 2 * * *", retention: { dumps: 5 } },
  },
  recovery: { volume: "pgdata-2", from: "pgdata-1", target: { before: "1.2.1" }, laterWrites: "keep" },
  gateway: {
    hold: "30s",
    held: 10000,
    drain: "10s",
    sticky: { cookie: "canary" },
    existing: {
      folder: "/etc/nginx/conf.d",
      reload: ["docker", "exec", "edge", "nginx", "-s", "reload"],
      container: { name: "edge", network: "web" },
    },
  },
  caches: { redis: { pattern: "session:*", image: "rollback-redis:8" } },
  safety: {
    lockTimeout: "100ms",
    errorRate: 5,
    responseTime: "5s",
    bake: "60s",
    onBadBake: "fail",
    rehearsal: "required",
  },
  secrets: { db: "a secret of enough length", apiKey: "another secret" },
  platform: "docker",
};

/** A key path such as `["cluster", "external"]` and what shall stand there; undefined takes the key away. */
export type Change = readonly [path: readonly (string | number)[], value: unknown];

/** What Pulumi hands out for the whole contract with changes, structured values as JSON text. */
export function configuration(...changes: readonly Change[]): RawConfiguration {
  const values: object = structuredClone(wholeContract);
  for (const [path, value] of changes) change(values, path, value);
  return {
    project: "meal-planner",
    stack: "prod",
    folder: "/srv/stack",
    secretKeys: ["secrets"],
    values: Object.fromEntries(
      Object.entries(values).map(([key, value]: [string, unknown]) => [
        key,
        typeof value === "object" ? JSON.stringify(value) : value,
      ]),
    ),
  };
}

/** The whole contract without what this version does not carry out. */
export function supported(...changes: readonly Change[]): RawConfiguration {
  return configuration(
    [["recovery"], undefined],
    [["gateway", "sticky"], undefined],
    [["gateway", "existing"], undefined],
    [["cluster", "backup", "schedule"], undefined],
    [["safety", "rehearsal"], undefined],
    ...changes,
  );
}

function change(target: object, [key, ...rest]: readonly (string | number)[], value: unknown): void {
  if (key === undefined) return;
  if (rest.length === 0) {
    if (value === undefined) Reflect.deleteProperty(target, key);
    else Reflect.set(target, key, structuredClone(value));
    return;
  }
  const next: unknown = Reflect.get(target, key);
  const inner: object = typeof next === "object" && next !== null ? next : {};
  Reflect.set(target, key, inner);
  change(inner, rest, value);
}
