import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../operations/docker/run.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";
import { scripts } from "./example.ts";
import { freePorts } from "./free-ports.ts";

/** The Meal Planner as Compose would run it: PostgreSQL of another make, the service, Redis, and nginx in front. */
export interface ComposeProject {
  readonly name: string;
  /** Holds docker-compose.yml, .env, nginx.conf, gleam/migrations_pg, and uploads/ with one file in it. */
  readonly folder: string;
  readonly volume: string;
  readonly containers: {
    readonly db: string;
    readonly web: string;
    readonly cache: string;
    readonly nginx: string;
    /** Only where nginx routes. */
    readonly api?: string;
  };
  /** Of the superuser `meal`. */
  readonly password: string;
  readonly apiKey: string;
  /** Where nginx listens on this machine. */
  readonly port: number;
  /** psql in the database's container, as its superuser. */
  sql(statement: string): Promise<string>;
  remove(): Promise<void>;
}

const checkout = path.join(import.meta.dirname, "../..");

/** What an entrypoint such as that of postgres:17-alpine does: another user of the system, another superuser, another locale. */
const entrypoint = `set -eu
id other >/dev/null 2>&1 || useradd --uid 70 --no-create-home other
install -d -o other /tmp/socket && chown -R other /var/lib/postgresql/data
cat > /tmp/start <<'END'
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/socket/pw
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/socket/pw --locale=en_US.utf8 --encoding=UTF8 --auth-local=trust --auth-host=trust >/dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  sed -i "s/^#listen_addresses = .*/listen_addresses = '*'/" "$PGDATA/postgresql.conf"
  pg_ctl -w start -o "-c listen_addresses= -k /tmp/socket" >/dev/null
  createdb -h /tmp/socket -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -m fast -w stop >/dev/null
fi
exec postgres -k /tmp/socket -c work_mem=8MB -c max_connections=60
END
exec setpriv --reuid=70 --regid=70 --clear-groups sh /tmp/start`;

const composeFile = (name: string, port: number, routes: boolean): string => `# The Meal Planner
services:
  db:
    image: \${POSTGRES_IMAGE:-postgres:17-alpine}
    volumes: ["pgdata:/var/lib/postgresql/data"]
    environment: { POSTGRES_USER: meal, POSTGRES_DB: meal_planner }
  web:
    image: meal-planner:\${GLEAM_VERSION:?say which}
    extends: { service: base }
    volumes: ["./uploads:/srv/uploads"]
  base:
    image: scratch
    profiles: [never]
  cache:
    image: redis:8
  nginx:
    image: nginx:latest
    ports: ["${port}:80"]
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
${routes ? "  api: { image: meal-planner:v1.2.0 }\n" : ""}  adminer:
    image: adminer
    profiles: [debug]
volumes:
  pgdata: { name: ${name}_pgdata }
`;

const nginxConf = `events {}
http {
  upstream meal_planner { server web:8080; }
  server { listen 80; location / { proxy_pass http://meal_planner; } }
}
`;

/** For an nginx that routes by path, in a folder of its own. */
export const routedSite = (web: string, api: string): string =>
  `server { listen 80; location / { proxy_pass http://${web}; } location /other/ { proxy_pass http://${api}/; } }\n`;
const routingConf = "events {}\nhttp { include /etc/nginx/conf.d/*.conf; }\n";

/** Starts it, with release 1.2.0 on schema 20. Needs the images of the stack and of the example. `routes`: with
 * a second service, and an nginx that tells the two apart by path. */
export async function startComposeProject({ routes = false } = {}): Promise<ComposeProject> {
  const name = `rbtc${randomBytes(3).toString("hex")}`;
  const folder = await mkdtemp(path.join(tmpdir(), "rollback-compose-"));
  const network = `${name}_default`;
  const volume = `${name}_pgdata`;
  const [port = 0] = await freePorts(1);
  const password = randomBytes(12).toString("hex");
  const apiKey = randomBytes(12).toString("hex");
  const containers = {
    db: `${name}-db-1`,
    web: `${name}-web-1`,
    cache: `${name}-cache-1`,
    nginx: `${name}-nginx-1`,
    ...(routes ? { api: `${name}-api-1` } : {}),
  };
  // As Docker would find a pulled one under these names; the tags are this project's own.
  const nginx = `${name}/nginx:1`;
  const redis = `${name}/redis:8`;
  const sql = (statement: string): Promise<string> =>
    docker(
      [
        // Where the data was taken over, the former server asks for passwords on local connections, too.
        ...["exec", "-i", "-e", `PGPASSWORD=${password}`, containers.db, "psql", "-h", "/tmp/socket"],
        ...["-U", "meal", "-d", "meal_planner", "-qAt", "-v", "ON_ERROR_STOP=1"],
      ],
      { input: statement },
    );
  const remove = async (): Promise<void> => {
    await docker(["rm", "-f", "-v", ...Object.values(containers)]);
    await docker(["network", "rm", network]);
    await docker(["volume", "rm", "-f", volume]);
    await docker(["rmi", nginx, redis]);
    await rm(folder, { recursive: true, force: true });
  };
  const run = (service: keyof ComposeProject["containers"], ...rest: readonly string[]): Promise<string> =>
    docker([
      ...["run", "-d", "--name", `${name}-${service}-1`, "--restart", "always"],
      ...[
        "--label",
        `com.docker.compose.project=${name}`,
        "--label",
        `com.docker.compose.service=${service}`,
      ],
      ...["--network", network, "--network-alias", service, ...rest],
    ]);
  try {
    await mkdir(path.join(folder, "gleam"));
    await cp(
      path.join(checkout, "examples/meal-planner/migrations/meal_planner"),
      path.join(folder, "gleam/migrations_pg"),
      {
        recursive: true,
      },
    );
    await writeFile(path.join(folder, "docker-compose.yml"), composeFile(name, port, routes));
    await writeFile(path.join(folder, ".env"), `COMPOSE_PROJECT_NAME=${name}\nGLEAM_VERSION=v1.2.0\n`);
    await writeFile(path.join(folder, "nginx.conf"), routes ? routingConf : nginxConf);
    await mkdir(path.join(folder, "conf.d"));
    await writeFile(path.join(folder, "conf.d/site.conf"), routedSite("web:8080", "api:8090"));
    await mkdir(path.join(folder, "uploads"));
    await writeFile(path.join(folder, "uploads/soup.jpg"), "soup");
    await docker(["tag", gatewayImage, nginx]);
    await docker(["tag", "rollback-redis:8", redis]);
    await docker(["network", "create", network]);
    await run(
      "db",
      ...[
        "-v",
        `${volume}:/var/lib/postgresql/data`,
        "--user",
        "0",
        "--entrypoint",
        "sh",
        "--stop-signal",
        "SIGINT",
      ],
      ...[
        "-e",
        "POSTGRES_USER=meal",
        "-e",
        `POSTGRES_PASSWORD=${password}`,
        "-e",
        "POSTGRES_DB=meal_planner",
      ],
      ...["rollback-postgres:17.1", "-c", entrypoint],
    );
    await until(() => sql("SELECT 1"));
    const applied = [...scripts("meal_planner")]
      .filter(([version]) => version <= 20)
      .sort(([a], [b]) => a - b);
    await sql(
      [
        "CREATE TABLE schema_migrations (version integer PRIMARY KEY, success boolean NOT NULL DEFAULT true, installed_on timestamptz NOT NULL DEFAULT now())",
        ...applied.map(
          ([version, text]) => `${text}; INSERT INTO schema_migrations (version) VALUES (${version})`,
        ),
        // A function with its owner's rights, a role that is no superuser, and indexes built by other sorting rules.
        "CREATE FUNCTION secret_sum() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "CREATE ROLE reporting LOGIN PASSWORD 'reporting'",
        "CREATE TABLE report AS SELECT 1 AS id",
        "ALTER TABLE report OWNER TO reporting",
        "UPDATE pg_database SET datcollversion = '2.28'",
      ].join(";\n"),
    );
    await run("cache", redis);
    const access = [
      ...["-e", `DATABASE_URL=postgres://meal:${password}@db:5432/meal_planner`],
      ...["-e", "REDIS_URL=redis://cache:6379/0", "-e", `API_KEY=${apiKey}`, "-e", "GREETING=costs ${5}"],
    ];
    const uploads = `${path.join(folder, "uploads")}:/srv/uploads`;
    await run("web", ...access, "-v", uploads, "meal-planner:v1.2.0");
    if (routes) await run("api", ...access, "-e", "PORT=8090", "meal-planner:v1.2.0");
    await run(
      "nginx",
      ...["-p", `127.0.0.1:${port}:80`, "--user", "0", "--entrypoint", "nginx"],
      ...["-v", `${path.join(folder, "nginx.conf")}:/etc/nginx/nginx.conf:ro`],
      ...["-v", `${path.join(folder, "conf.d")}:/etc/nginx/conf.d`, nginx, "-g", "daemon off;"],
    );
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/health`);
      if (!answer.ok) throw new Error(await answer.text());
    });
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
  return { name, folder, volume, containers, password, apiKey, port, sql, remove };
}

/** Repeats an attempt, for half a minute, until it does not throw. */
export async function until(attempt: () => Promise<unknown>): Promise<void> {
  for (let n = 1; ; n += 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (n === 150) throw error;
      await sleep(200);
    }
  }
}
