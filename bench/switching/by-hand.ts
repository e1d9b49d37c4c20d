import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../operations/docker/run.ts";
import { freePorts } from "../../test/support/free-ports.ts";
import { ask } from "../../test/support/http-client.ts";
import type { Report } from "../report.ts";
import type { World } from "../rollback/world.ts";
import { feedImage, feedPort } from "./feed.ts";
import { tryUnderAll } from "./witness.ts";

/** Names of the cases. */
export const byHand = {
  reload: "by hand: both running, plain nginx reload",
  restart: "by hand: runbook 2.2, stopped and started",
} as const;

const now = (): number => performance.timeOrigin + performance.now();

/** The runbook's `stop` and `up -d` of the application, by plain docker: 1.2.3 is taken back to 1.2.1. */
export async function measureRestart(report: Report, world: World): Promise<void> {
  const [app, feed] = [`${world.network}-app`, `${world.network}-feed`];
  const [port = 0, streams = 0] = await freePorts(2);
  const [url, feedUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${streams}`];
  const start = async (release: string): Promise<void> => {
    await world.start(app, release, port);
    await startFeed(world, feed, release, streams);
    await healthy(url);
    await healthy(feedUrl);
  };
  await world.migrate();
  await start("1.2.3");
  await tryUnderAll(report, {
    name: byHand.restart,
    url,
    feedUrl,
    release: "1.2.1",
    share: 100,
    query: world.query,
    async act() {
      const began = now();
      await docker(["stop", app, feed]);
      await docker(["rm", app, feed]);
      await start("1.2.1");
      return { began };
    },
  });
  for (const container of [app, feed]) await world.remove(container);
}

/** Both releases run behind one nginx; its upstreams are edited and it is reloaded. */
export async function measureReload(report: Report, world: World): Promise<void> {
  const nginx = `${world.network}-nginx`;
  const [port = 0, streams = 0] = await freePorts(2);
  const [url, feedUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${streams}`];
  const named = (release: string): { app: string; feed: string } => ({
    app: `${world.network}-app-${release}`,
    feed: `${world.network}-feed-${release}`,
  });
  const [old, next] = [named("1.2.3"), named("1.2.1")];
  await world.migrate();
  for (const [release, { app, feed }] of [
    ["1.2.3", old],
    ["1.2.1", next],
  ] as const) {
    await world.start(app, release);
    await startFeed(world, feed, release);
  }
  await world.startNginx(nginx, port, nginxTo(old), [`127.0.0.1:${streams}:8001`]);
  await healthy(url);
  await healthy(feedUrl);
  await tryUnderAll(report, {
    name: byHand.reload,
    url,
    feedUrl,
    release: "1.2.1",
    share: 100,
    query: world.query,
    async act() {
      const began = now();
      const command =
        "cat > /etc/gateway/routes/nginx.conf && nginx -c /etc/gateway/routes/nginx.conf -s reload";
      await docker(["exec", "-i", nginx, "sh", "-c", command], { input: nginxTo(next) });
      return { began };
    },
  });
  for (const container of [nginx, old.app, old.feed, next.app, next.feed]) await world.remove(container);
}

async function startFeed(world: World, container: string, release: string, port?: number): Promise<void> {
  await world.run(
    container,
    ...(port === undefined ? [] : ["-p", `127.0.0.1:${port}:${feedPort}`]),
    ...["-e", `RELEASE=${release}`, "-e", `PORT=${feedPort}`, feedImage],
  );
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

function nginxTo({ app, feed }: { readonly app: string; readonly feed: string }): string {
  const server = (port: number, upstream: string): string => `  server {
    listen ${port};
    location / {
      proxy_pass http://${upstream};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgraded;
    }
  }
`;
  return `pid /run/router/nginx.pid;
error_log stderr warn;
worker_processes auto;
worker_shutdown_timeout 3s;
events { worker_connections 4096; }
http {
  access_log off;
  map $http_upgrade $upgraded { default upgrade; "" ""; }
  upstream app { server ${app}:8080; keepalive 32; }
  upstream feed { server ${feed}:${feedPort}; }
${server(8000, "app")}${server(8001, "feed")}}
`;
}
