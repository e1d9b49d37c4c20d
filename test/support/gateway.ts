import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { docker } from "../../operations/docker/run.ts";
import { doorConfig, doorConfigPath } from "../../operations/traffic/door.ts";
import { inFlight } from "../../operations/traffic/drain.ts";
import { gatewayImage } from "../../operations/traffic/plan.ts";
import type { GatewayPlan, ServerPlan } from "../../operations/traffic/plan.ts";
import { gateStatus } from "../../operations/traffic/gate.ts";
import { probe, waitHealthy } from "../../operations/traffic/probe.ts";
import { routerConfig } from "../../operations/traffic/router-config.ts";
import { applyRoutes } from "../../operations/traffic/routes.ts";
import { answers } from "./http-client.ts";

const seen = z.record(z.string(), z.number());

/** A gateway of two nginx on a network of its own, with stand-ins for an application's containers. */
export interface TestGateway {
  readonly prefix: string;
  readonly door: string;
  readonly router: string;
  readonly url: string;
  /** Starts a stand-in of this release and returns its place in a plan, weight 1. */
  readonly upstream: (release: string, env?: Record<string, string>) => Promise<TestUpstream>;
  readonly plan: (...servers: readonly ServerPlan[]) => GatewayPlan;
  /** Brings routes over these servers into force. */
  readonly route: (...servers: readonly ServerPlan[]) => Promise<"applied" | "unchanged">;
  /** As `route`; what they have begun when they leave in their turn has a minute to end. */
  readonly routePatiently: (...servers: readonly ServerPlan[]) => Promise<"applied" | "unchanged">;
  /** How often a stand-in ran each write, by the write's id. */
  readonly seenBy: (upstream: ServerPlan) => Promise<Record<string, number>>;
  /** Removes every container, volume and network that was made. */
  readonly remove: () => Promise<void>;
  /** Waits until this many requests are held, at most 30 s. */
  readonly held: (count: number) => Promise<void>;
  /** Waits until this many requests are in flight at the router, at most 30 s. */
  readonly busy: (count: number) => Promise<void>;
}

export interface TestUpstream extends ServerPlan {
  readonly container: string;
}

/** Builds the gateway's image where it is missing or older than its files; free when nothing changed. */
export async function buildGatewayImage(): Promise<void> {
  await docker(["build", "-q", "-t", gatewayImage, join(import.meta.dirname, "../../images/gateway")], {
    timeoutMs: 600_000,
  });
}

/** A gateway on the current image with a healthy container of 1.2.0 and of 1.2.1; closed and without routes. */
export async function startGatewayOfTwo(routesSize?: string): Promise<{
  gateway: TestGateway;
  old: TestUpstream;
  next: TestUpstream;
}> {
  await buildGatewayImage();
  const gateway = await startGateway(routesSize);
  try {
    const [old, next] = await Promise.all([gateway.upstream("1.2.0"), gateway.upstream("1.2.1")]);
    for (const each of [old, next]) {
      await waitHealthy(gateway.router, each.container, { ...each, path: "/health" }, { deadlineMs: 30_000 });
    }
    return { gateway, old, next };
  } catch (error) {
    await gateway.remove();
    throw error;
  }
}

/**
 * Starts router and door; the gate is closed and the router has no routes yet. `routesSize`: the router's disk for them is
 * no larger, e.g. `256k`.
 */
export async function startGateway(routesSize?: string): Promise<TestGateway> {
  const prefix = `rbt-gateway-${randomBytes(3).toString("hex")}`;
  const [door, router] = [`${prefix}-door`, `${prefix}-router`];
  const port = await freePort();
  const made: string[] = [door, router];
  const plan = (...servers: readonly ServerPlan[]): GatewayPlan => ({
    services: [{ name: "app", public: { port, address: "127.0.0.1" }, containerPort: 8080, servers }],
    hold: 20_000,
    held: 10_000,
    drain: 3_000,
  });
  const volumes = ["sockets", "routes", "gate"].map((kind) => `${prefix}-${kind}`);
  const remove = async (): Promise<void> => {
    await docker(["rm", "--force", "--volumes", ...made]).catch(ignoreMissing);
    await docker(["volume", "rm", "--force", ...volumes]);
    await docker(["network", "rm", prefix]).catch(ignoreMissing);
  };
  try {
    await docker(["network", "create", prefix]);
    if (routesSize !== undefined) {
      const options = ["type=tmpfs", "device=tmpfs", `o=size=${routesSize},uid=990,gid=990`];
      await docker([
        ...["volume", "create", ...options.flatMap((option) => ["--opt", option])],
        `${prefix}-routes`,
      ]);
    }
    const mounts = (role: string, folder: string) => [
      ...["--network", prefix, "-v", `${prefix}-sockets:/run/gateway`, "-v", `${prefix}-${role}:${folder}`],
    ];
    await docker([
      "run",
      "-d",
      "--name",
      router,
      ...mounts("routes", "/etc/gateway/routes"),
      gatewayImage,
      "router",
    ]);
    const publish = ["-p", `127.0.0.1:${port}:${port}`];
    await docker([
      "create",
      "--name",
      door,
      ...publish,
      ...mounts("gate", "/var/lib/gate"),
      gatewayImage,
      "door",
    ]);
    await upload(door, doorConfigPath, doorConfig(plan()));
    await docker(["start", door]);
    await answers(`http://127.0.0.1:${port}/`);
  } catch (error) {
    await remove();
    throw error;
  }
  const upstream = async (release: string, env: Record<string, string> = {}): Promise<TestUpstream> => {
    const container = `${prefix}-app-${release}-${randomBytes(2).toString("hex")}`;
    made.push(container);
    await docker([
      ...["run", "-d", "--init", "--name", container, "--network", prefix, "-e", `RELEASE=${release}`],
      ...Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
      ...["-v", `${process.execPath}:/usr/local/bin/node:ro`],
      ...["-v", `${join(import.meta.dirname, "upstream.mjs")}:/upstream.mjs:ro`],
      ...["debian:trixie-slim", "node", "/upstream.mjs"],
    ]);
    const address = await addressOf(container, prefix);
    return { container, address, port: 8080, weight: 1, release };
  };
  const route: TestGateway["route"] = (...servers) =>
    applyRoutes(router, routerConfig(plan(...servers)), "test");
  const seenBy = async (upstream: ServerPlan): Promise<Record<string, number>> =>
    seen.parse(JSON.parse((await probe(router, { ...upstream, path: "/seen" })).body));
  const routePatiently: TestGateway["route"] = (...servers) =>
    applyRoutes(router, routerConfig({ ...plan(...servers), drain: 60_000 }), "test");
  const reaches = async (count: number, now: () => Promise<number>, what: string): Promise<void> => {
    const until = Date.now() + 30_000;
    while ((await now()) !== count) {
      if (Date.now() > until) throw new Error(`not ${count} requests are ${what}`);
    }
  };
  const held = (count: number) => reaches(count, async () => (await gateStatus(door)).held, "held");
  const busy = (count: number) => reaches(count, () => inFlight(router), "in flight");
  return {
    prefix,
    door,
    router,
    url: `http://127.0.0.1:${port}`,
    upstream,
    plan,
    route,
    routePatiently,
    seenBy,
    held,
    busy,
    remove,
  };
}

async function addressOf(container: string, network: string): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  return docker(["inspect", "-f", format, container]);
}

function ignoreMissing(error: unknown): void {
  if (!/no such|not found/i.test(String(error))) throw error;
}

async function upload(container: string, path: string, text: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rbt-"));
  try {
    const file = join(folder, "file");
    writeFileSync(file, text, { mode: 0o644 });
    await docker(["cp", file, `${container}:${path}`]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
