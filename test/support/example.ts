import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { docker } from "../../operations/docker/run.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

const migrations = join(import.meta.dirname, "../../examples/meal-planner/migrations");

/** SQL by version of a folder of the example's migrations, e.g. `meal_planner` or `meal_planner/rollback`. */
export function scripts(path: string): Map<number, string> {
  const folder = join(migrations, path);
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  return new Map(files.map((name) => [Number(name.slice(0, 3)), readFileSync(join(folder, name), "utf8")]));
}

/** Services of the example on a network of their own with a PostgreSQL, without the program that deploys them. */
export interface ExampleBench {
  readonly postgres: TestPostgres;
  /** A connection as superuser; the caller closes it. */
  connect(database: string): Promise<Client>;
  /** Databases meal_planner and mealie, empty. */
  createDatabases(): Promise<void>;
  /** Starts a container and returns its name, also its host name on the network. */
  start(image: string, env?: Readonly<Record<string, string>>): Promise<string>;
  /** URL of a database as the containers see it. */
  databaseUrl(database: string): string;
  /** Base URL of a container's port as this process sees it. */
  url(container: string, port?: number): Promise<string>;
  remove(): Promise<void>;
}

/** Starts the network and the server. Needs the images `rollback-postgres:17.1` and those of the example. */
export async function startExampleBench(): Promise<ExampleBench> {
  const name = `rbt-example-${randomBytes(4).toString("hex")}`;
  const containers: string[] = [];
  const postgres = await startPostgres();
  const { host, port, user, password } = postgres.server;
  const connect = async (database: string): Promise<Client> => {
    const client = new Client({ host, port, user, password, database });
    await client.connect();
    return client;
  };
  const remove = async (): Promise<void> => {
    if (containers.length > 0) await docker(["rm", "-f", "-v", ...containers]);
    await postgres.remove();
    await docker(["network", "rm", name]);
  };
  try {
    await docker(["network", "create", name]);
    await docker(["network", "connect", name, postgres.container]);
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
  return {
    postgres,
    connect,
    remove,
    async createDatabases() {
      const admin = await connect("postgres");
      await admin.query("CREATE DATABASE meal_planner");
      await admin.query("CREATE DATABASE mealie");
      await admin.end();
    },
    async start(image, env = {}) {
      const container = `${name}-${containers.length}`;
      containers.push(container);
      const settings = Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
      await docker(["run", "-d", "--name", container, "--network", name, "-P", ...settings, image]);
      return container;
    },
    databaseUrl: (database) => `postgresql://${user}:${password}@${postgres.container}:5432/${database}`,
    async url(container, inside = 8080) {
      const address = await docker(["port", container, `${inside}/tcp`]);
      return `http://127.0.0.1:${address.split("\n")[0]?.split(":").at(-1) ?? ""}`;
    },
  };
}

/** Asks until `holds`, every 100 ms for at most 15 s; the last answer is returned either way. */
export async function askUntil(url: string, holds: (response: Response) => boolean): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    // Not listening yet is an answer as well, until the time is up.
    const response = await fetch(url).catch((error: unknown) => {
      if (attempt >= 150) throw error;
      return undefined;
    });
    if (response !== undefined && (holds(response) || attempt >= 150)) return response;
    await response?.body?.cancel();
    await sleep(100);
  }
}
