import { randomBytes } from "node:crypto";
import { seedMealPlanner } from "../../examples/meal-planner/seed.ts";
import { waitUntilReady, withClient, type Server } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";
import { scripts } from "../../test/support/example.ts";
import { answers } from "../../test/support/http-client.ts";
import { freePorts } from "../../test/support/free-ports.ts";
import { removeStack } from "../../test/support/stack-docker.ts";
import { scramVerifier } from "../../settings/secrets.ts";
import type { Report } from "../report.ts";

/** The Meal Planner as its runbook knows it: containers started by hand and one PostgreSQL, on a network. */
export interface World {
  readonly network: string;
  /** Value of the label `rollback.stack` by which everything in it is removed. */
  readonly label: string;
  readonly postgres: string;
  /** As superuser, which is what the runbook has the application be. */
  readonly databaseUrl: string;
  readonly query: (sql: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  /** `docker run -d` with these arguments after the name, on the network. */
  readonly run: (container: string, ...args: readonly string[]) => Promise<string>;
  /** `docker run` of the planner; with a port it listens there on loopback. Resolves when it has been started. */
  readonly start: (container: string, release: string, port?: number) => Promise<void>;
  /** `docker run` of nginx with this text as its configuration, listening on that port, and more as `-p` takes them. */
  readonly startNginx: (
    container: string,
    port: number,
    configuration: string,
    more?: readonly string[],
  ) => Promise<void>;
  readonly remove: (container: string) => Promise<void>;
  /** psql in PostgreSQL's container with these arguments and SQL; throws when psql fails. */
  readonly psql: (args: readonly string[], sql: string) => Promise<void>;
  /** Brings the schema to 23, if it is not there. */
  readonly migrate: () => Promise<void>;
}

/** What takes migration 023 back, tracking row included; without a transaction of its own. */
export const revert023 = (): string =>
  `${scripts("meal_planner/rollback").get(23) ?? ""}\nDELETE FROM schema_migrations WHERE version = 23;\n`;

/** Makes it, with the schema at 23 and the same data as the stack that it is compared with. */
export async function makeWorld(report: Report): Promise<World> {
  const name = `rbt-bench-${randomBytes(3).toString("hex")}`;
  const label = `${name}/world`;
  report.say(`making ${label}, the Meal Planner by hand …`);
  report.defer(`containers and network of ${label}`, () => removeStack(label, []));
  await docker(["network", "create", "--label", `rollback.stack=${label}`, name]);
  const run = (container: string, ...more: readonly string[]): Promise<string> =>
    docker([
      "run",
      "-d",
      "--name",
      container,
      "--network",
      name,
      "--label",
      `rollback.stack=${label}`,
      ...more,
    ]);
  const postgres = `${name}-postgres`;
  const [port = 0] = await freePorts(1);
  const password = randomBytes(12).toString("hex");
  const server: Server = { host: "127.0.0.1", port, user: "postgres", password, ssl: "disable" };
  const first = ["-e", "PG_INIT=allow", "-e", `PG_SCRAM=${scramVerifier(password, name)}`];
  const database = ["-p", `127.0.0.1:${port}:5432`, "--shm-size", "256m", "-v", "/var/lib/postgresql/data"];
  await run(postgres, ...database, ...first, "rollback-postgres:17.1");
  await waitUntilReady(server, 120_000, () => undefined);
  await createDatabase(server);
  const databaseUrl = `postgresql://postgres:${password}@${postgres}:5432/meal_planner`;
  const query: World["query"] = (sql, values) =>
    withClient(server, "meal_planner", async (client) => {
      const { rows } = await client.query<Record<string, unknown>>(sql, [...values]);
      return rows;
    });
  return {
    network: name,
    label,
    postgres,
    databaseUrl,
    query,
    run,
    async start(container, release, port) {
      const publish = port === undefined ? [] : ["-p", `127.0.0.1:${port}:8080`];
      await run(container, ...publish, "-e", `DATABASE_URL=${databaseUrl}`, `meal-planner:v${release}`);
    },
    async startNginx(container, port, configuration, more = []) {
      const file = "/etc/gateway/routes/nginx.conf";
      const start = `printf %s "$CONFIGURATION" > ${file} && exec nginx -c ${file} -g 'daemon off;'`;
      const image = ["--entrypoint", "sh", "-e", `CONFIGURATION=${configuration}`, gatewayImage];
      const ports = [`127.0.0.1:${port}:8000`, ...more].flatMap((mapping) => ["-p", mapping]);
      await run(container, ...ports, ...image, "-c", start);
      await answers(`http://127.0.0.1:${port}/`);
    },
    async remove(container) {
      await docker(["rm", "--force", "--volumes", container]);
    },
    async psql(args, sql) {
      const command = [
        "psql",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-U",
        "postgres",
        "-d",
        "meal_planner",
        ...args,
      ];
      await docker(["exec", "-i", postgres, ...command], { input: sql });
    },
    async migrate() {
      const [row] = await query("SELECT max(version) AS version FROM schema_migrations", []);
      if (Number(row?.["version"]) === 23) return;
      await withClient(server, "meal_planner", async (client) => {
        await client.query(scripts("meal_planner").get(23) ?? "");
        await client.query("INSERT INTO schema_migrations (version) VALUES (23)");
      });
    },
  };
}

async function createDatabase(server: Server): Promise<void> {
  await withClient(server, "postgres", (client) => client.query("CREATE DATABASE meal_planner"));
  await withClient(server, "meal_planner", async (client) => {
    await client.query("CREATE EXTENSION pg_trgm");
    await client.query(
      "CREATE TABLE schema_migrations (version int PRIMARY KEY, success bool NOT NULL DEFAULT true, installed_on timestamptz NOT NULL DEFAULT now())",
    );
    for (const [version, sql] of [...scripts("meal_planner")].sort(([a], [b]) => a - b)) {
      await client.query(sql);
      await client.query("INSERT INTO schema_migrations (version) VALUES ($1)", [version]);
    }
    await seedMealPlanner(client);
  });
}
