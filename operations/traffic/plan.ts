import { createHash } from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import { Refusal } from "../../settings/refusal.ts";
import type { Settings } from "../../settings/types.ts";

/** The image of door and router, built from images/gateway. */
export const gatewayImage = "rollback-gateway:5";

/** What the gateway of a stack does: which services it serves, and where each request may go. */
export interface GatewayPlan {
  readonly services: readonly ServicePlan[];
  /** Longest time a request is held, milliseconds. */
  readonly hold: number;
  /** Most requests held at once. */
  readonly held: number;
  /** Longest time requests in flight may take after a switch, milliseconds. */
  readonly drain: number;
  /** What keeps a client with one release while several are live; undefined: each request goes by weight. */
  readonly sticky?: Settings["gateway"]["sticky"];
  /** What browsers are told for a while after users met other code. */
  readonly browsers?: Settings["gateway"]["browsers"];
  /** Whether clients come through an nginx of the user's, which then says who they are (default false). */
  readonly behind?: boolean;
}

export interface ServicePlan {
  readonly name: string;
  /** What the host listens on for it; undefined: reachable for the stack's other services only. */
  readonly public?: { readonly port: number; readonly address: string } | undefined;
  /** Port of the service in its own containers, and of the router's listener for the stack's other services. */
  readonly containerPort: number;
  /** None: the service answers 503. */
  readonly servers: readonly ServerPlan[];
}

export interface ServerPlan {
  /** An IP address: nginx resolves names at start only and does not start with one that is missing. */
  readonly address: string;
  readonly port: number;
  /** Share of the requests, relative to the other servers of the service; a whole number from 1. */
  readonly weight: number;
  readonly release: string;
}

/** A running container that may take traffic. */
export interface ServingContainer {
  readonly service: string;
  readonly release: string;
  /** Its IP address on the stack's network, or where the router finds it otherwise. */
  readonly address: string;
  /** Undefined: the service's. */
  readonly port?: number;
}

/**
 * The routes that `rollback:live` asks for, over the containers that are there.
 * Throws a Refusal `TRAFFIC_NO_CONTAINER` when a live release has no container for a service.
 */
export function routesFor(settings: Settings, containers: readonly ServingContainer[]): GatewayPlan {
  const services = [...settings.services.values()].map((service): ServicePlan => {
    const weights = exactWeights(
      settings.live.map(({ release, weight }) => ({
        weight,
        servers: containersOf(containers, service.name, release),
      })),
    );
    return {
      name: service.name,
      public: service.public,
      containerPort: service.port,
      servers: weights.map(({ server, weight }) => ({
        address: server.address,
        port: server.port ?? service.port,
        weight,
        release: server.release,
      })),
    };
  });
  const { hold, held, drain, sticky, browsers, existing } = settings.gateway;
  return { services, hold, held, drain, sticky, browsers, behind: existing !== undefined };
}

/** Address and port of a server, as nginx writes them. */
export function endpoint({ address, port }: ServerPlan): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function containersOf(
  containers: readonly ServingContainer[],
  service: string,
  release: string,
): readonly ServingContainer[] {
  const found = containers
    .filter((container) => container.service === service && container.release === release)
    .toSorted((a, b) => a.address.localeCompare(b.address, "en", { numeric: true }));
  if (found.length > 0) return found;
  throw new Refusal({
    code: "TRAFFIC_NO_CONTAINER",
    found: `${release} is to take traffic, but ${service} has no running container of it.`,
    untouched: "Routes are as they were.",
    next: "pulumi up    # creates the containers that are missing",
  });
}

/**
 * The smallest whole weights that give each group its share exactly, split evenly over the group's servers:
 * 90 over 3 servers and 10 over 1 server become 3, 3, 3 and 1.
 */
export function exactWeights<Server>(
  groups: readonly { readonly weight: number; readonly servers: readonly Server[] }[],
): { server: Server; weight: number }[] {
  const used = groups.filter(({ weight, servers }) => weight > 0 && servers.length > 0);
  const common = used.map(({ servers }) => servers.length).reduce(leastCommonMultiple, 1);
  const weighted = used.flatMap(({ weight, servers }) =>
    servers.map((server) => ({ server, weight: (weight * common) / servers.length })),
  );
  const divisor = weighted.map(({ weight }) => weight).reduce(greatestCommonDivisor, 0);
  return weighted.map(({ server, weight }) => ({ server, weight: weight / divisor }));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}

/**
 * The port inside the door's container that stands for each public service: the published one, so that it is found
 * again; from 10001 where several addresses of the host publish the same port for different services. Behind an nginx of
 * the user's it follows from the service's name alone: there a changed port is no reason to make the door anew, nor may a
 * new service get the port that nginx still takes for another's.
 */
export function doorPorts(plan: Pick<GatewayPlan, "services" | "behind">): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  const taken = new Set<number>();
  for (const service of plan.services.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (service.public === undefined) continue;
    const behind = plan.behind === true;
    let port = behind ? portByName(service.name) : service.public.port;
    for (let spare = behind ? port + 1 : 10_001; taken.has(port); spare += 1) port = spare;
    taken.add(port);
    ports.set(service.name, port);
  }
  return ports;
}

/** From 20000 to 49999. */
function portByName(name: string): number {
  return 20_000 + (createHash("sha256").update(name).digest().readUInt32BE() % 30_000);
}

/** Refuses what cannot stand in an nginx configuration; a defect of the caller, since the settings were validated. */
export function checkPlan(plan: GatewayPlan): void {
  if (plan.sticky !== undefined && !/^[\w-]+$/.test(plan.sticky.name))
    throw new TypeError(`${JSON.stringify(plan.sticky.name)} does not fit the name of a cookie or header`);
  for (const service of plan.services) {
    if (!/^[a-z0-9][a-z0-9_.-]{0,62}$/i.test(service.name)) {
      throw new TypeError(`service name ${JSON.stringify(service.name)} does not fit a socket's name`);
    }
    for (const server of service.servers) {
      if (isIP(server.address) === 0)
        throw new TypeError(`${server.address} of ${service.name} is no IP address`);
      if (!Number.isSafeInteger(server.weight) || server.weight < 1) {
        throw new TypeError(`weight ${server.weight} of ${service.name} is no whole number from 1`);
      }
      if (!/^[\w.+-]+$/.test(server.release)) {
        throw new TypeError(`release ${JSON.stringify(server.release)} does not fit a header`);
      }
    }
  }
}
