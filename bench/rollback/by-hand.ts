import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../operations/docker/run.ts";
import { freePorts } from "../../test/support/free-ports.ts";
import { ask } from "../../test/support/http-client.ts";
import type { Report } from "../report.ts";
import { tryUnderLoad } from "./measure.ts";
import { revert023, type World } from "./world.ts";

/** Names of the cases. */
export const byHand = {
  restart: "runbook 2.2, app stopped and started: code only",
  full: "runbook 3.1, full rollback: with schema 023",
  fullSlept: "runbook 3.1 with its fixed sleeps",
  floorCode: "floor: standby running, nginx reload",
  floorSchema: "floor: standby running, psql -1 of 023, nginx reload",
} as const;

/**
 * The runbook's commands, with plain docker for docker-compose: `stop` and `up -d` of the application alone. As written,
 * 2.2 and 3.1 take PostgreSQL down as well, after which 3.1 could not dump; that is not held against it.
 */
export async function measureRunbook(report: Report, world: World): Promise<void> {
  const app = `${world.network}-app`;
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const replaceBy = async (release: string): Promise<void> => {
    await world.start(app, release, port);
    await healthy(url);
  };
  const stop = async (): Promise<void> => {
    await docker(["stop", app]);
    await docker(["rm", app]);
  };
  const fresh = async (release: string): Promise<void> => {
    await world.migrate();
    await replaceBy(release);
  };

  await fresh("1.2.3");
  await tryUnderLoad(report, {
    name: byHand.restart,
    url,
    release: "1.2.1",
    query: world.query,
    async act() {
      await stop();
      await replaceBy("1.2.1");
    },
  });
  await world.remove(app);

  for (const slept of [false, true]) {
    await fresh("1.2.1");
    await tryUnderLoad(report, {
      name: slept ? byHand.fullSlept : byHand.full,
      url,
      release: "1.2.1-rc1",
      query: world.query,
      async act() {
        await stop();
        await dump(world);
        if (slept) await sleep(5_000);
        await world.psql([], `BEGIN;\n${revert023()}COMMIT;\n`);
        await world.psql([], "SELECT * FROM schema_migrations ORDER BY version DESC LIMIT 5;");
        await world.start(app, "1.2.1-rc1", port);
        if (slept) await sleep(10_000);
        await healthy(url);
        for (const path of ["/api/logs", "/api/meal-plans"]) await ask(`${url}${path}`);
      },
    });
    await world.remove(app);
  }
}

/** The least that a way back can take: the other release runs already, a person types the commands without a pause. */
export async function measureFloors(report: Report, world: World): Promise<void> {
  const nginx = `${world.network}-nginx`;
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const scene = async (name: string, leaving: string, arriving: string, before: () => Promise<void>) => {
    const [old, next] = [`${world.network}-leaving`, `${world.network}-arriving`];
    await world.migrate();
    await world.start(old, leaving);
    await world.start(next, arriving);
    await world.startNginx(nginx, port, nginxTo(old));
    await healthy(url);
    await tryUnderLoad(report, {
      name,
      url,
      release: arriving,
      query: world.query,
      async act() {
        await before();
        const command =
          "cat > /etc/gateway/routes/nginx.conf && nginx -c /etc/gateway/routes/nginx.conf -s reload";
        await docker(["exec", "-i", nginx, "sh", "-c", command], { input: nginxTo(next) });
      },
    });
    for (const container of [nginx, old, next]) await world.remove(container);
  };
  await scene(byHand.floorCode, "1.2.3", "1.2.1", () => Promise.resolve());
  await scene(byHand.floorSchema, "1.2.1", "1.2.1-rc1", () => world.psql(["-1"], revert023()));
}

async function dump({ postgres }: World): Promise<void> {
  const command = [
    "pg_dump",
    "-U",
    "postgres",
    "-d",
    "meal_planner",
    "-F",
    "custom",
    "-f",
    "/tmp/incident.dump",
  ];
  await docker(["exec", postgres, ...command]);
}

/** `curl …/health` until it is answered with 200. */
async function healthy(url: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask(`${url}/health`).catch(() => undefined);
    if (answer?.status === 200) return;
    if (attempt === 300) throw new Error(`${url} does not become healthy`);
    await sleep(100);
  }
}

function nginxTo(container: string): string {
  return `pid /run/router/nginx.pid;
error_log stderr warn;
worker_processes auto;
events { worker_connections 4096; }
http {
  access_log off;
  upstream app { server ${container}:8080; keepalive 32; }
  server {
    listen 8000;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}
