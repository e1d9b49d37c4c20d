import path from "node:path";
import { releaseName } from "../../settings/identifiers.ts";
import type { MaybeSecret } from "../../settings/types.ts";
import type { Application } from "./application.ts";
import type { ComposeProject } from "./compose.ts";
import { partOf } from "./draft-names.ts";
import type { Findings, FoundApplication, Listener } from "./findings.ts";
import { stays } from "./proxy.ts";
import type { Draft, InitRequest } from "./request.ts";
import type { FoundServer } from "./server.ts";
import { checksOf, commentsOf, happens } from "./say.ts";
import { serverSettings } from "./server-settings.ts";

/** The stack configuration that the findings make, and what has to be said about it. Pure; no problem may be left. */
export function compile(request: InitRequest, compose: ComposeProject, findings: Findings): Draft {
  const { server, applications, databases, caches, proxies } = findings;
  const release = releaseOf(request, applications);
  const listeners = publicListeners(request, findings);
  const { settings, left } = serverSettings(server.facts.settings);
  const config = {
    "rollback:releases": {
      [release]: {
        services: Object.fromEntries(
          applications.map(({ name, application }) => [name, imageOf(application)]),
        ),
        schema: Object.fromEntries(databases.map(({ name, standing }) => [name, standing.version])),
      },
    },
    "rollback:live": { [release]: 100 },
    "rollback:services": Object.fromEntries(
      applications.map((each) => [each.name, serviceOf(each, listeners.get(each.running.service.name))]),
    ),
    "rollback:databases": Object.fromEntries(
      databases.map(({ name, standing }) => {
        const writers = writersOf(server, name, applications);
        return [
          name,
          {
            migrations: relative(request.home, standing.path),
            layout: standing.layout,
            ...(writers.length === 0 ? {} : { writers }),
          },
        ];
      }),
    ),
    "rollback:cluster": {
      ...(request.image === undefined ? {} : { image: request.image }),
      volume: server.volume,
      port: server.port?.port ?? [5432, 15432, 25432].find((port) => !findings.taken.has(port)) ?? 35432,
      ...addressOf(server.port?.address),
      ...(settings.size === 0 ? {} : { settings: Object.fromEntries(settings) }),
    },
    ...(caches.length === 0
      ? {}
      : {
          "rollback:caches": Object.fromEntries(
            caches.map(({ service, clear }) => [
              partOf(service),
              clear === "all" ? { all: true } : { pattern: clear },
            ]),
          ),
        }),
    ...gatewayOf(request, proxies),
    "rollback:takeover": {
      server: server.container,
      containers: [
        ...proxies.filter(({ fronted }) => !stays(fronted)).map(({ container }) => container),
        ...applications.flatMap(({ running }) => running.containers.map(({ name }) => name)),
        ...caches.map(({ container }) => container),
      ],
    },
  };
  return {
    config,
    secrets: findings.secrets,
    comments: commentsOf(release, compose, findings),
    folders: [
      ...(server.bind === undefined ? [] : [server.bind]),
      ...applications.flatMap(({ application }) => application.folders),
    ],
    checks: [...findings.checks, ...server.checks, ...left, ...checksOf(findings, listeners)],
    happens: happens(findings),
  };
}

/** The tag of the first public service, when it looks like a version; `v1.2.0` is release 1.2.0. */
function releaseOf(request: InitRequest, applications: readonly FoundApplication[]): string {
  if (request.release !== undefined) return request.release;
  const tags = applications.map(({ application }) => /:v?(\d[^:/]*)$/.exec(application.image)?.[1]);
  return tags.find((tag) => tag !== undefined && releaseName.safeParse(tag).success) ?? "1";
}

/** Pinned to what runs: a tag may mean something else by the time of a rollback. */
function imageOf({ image, imageId }: Application): { image: string; digest: string } {
  return { image: image.split("@")[0] ?? image, digest: imageId };
}

/** An nginx that does what the gateway does not stays in front of it. */
function gatewayOf(
  { home }: Pick<InitRequest, "home">,
  proxies: Findings["proxies"],
): Record<string, Record<string, unknown>> {
  const kept = proxies.find(({ fronted }) => stays(fronted));
  if (kept?.fronted.front === undefined) return {};
  const { folder, network } = kept.fronted.front;
  const existing = {
    folder: relative(home, folder),
    reload: ["docker", "exec", kept.container, "nginx", "-s", "reload"],
    container: { name: kept.container, network },
  };
  return { "rollback:gateway": { existing } };
}

/** Where the gateway listens for each service: where its container did, or the proxy in front of it. */
function publicListeners(
  request: InitRequest,
  { applications, proxies }: Pick<Findings, "applications" | "proxies">,
): Map<string, Listener> {
  const found = new Map<string, Listener>();
  for (const { running, application } of applications)
    if (application.public !== undefined) found.set(running.service.name, application.public);
  for (const { fronted } of proxies) {
    const [name] = fronted.services;
    const service = applications.find((each) => each.name === name)?.running.service.name;
    const [listener] = fronted.published;
    if (service !== undefined && listener !== undefined && fronted.services.length === 1)
      found.set(service, { port: listener.port, address: listener.address });
  }
  for (const { fronted } of proxies.filter((each) => stays(each.fronted))) {
    const taken = new Set(fronted.published.map(({ inner }) => inner));
    for (const { name, running, application } of applications) {
      if (!fronted.services.includes(name)) continue;
      // Within the proxy's container: where its own listeners are not.
      let port = request.public.get(running.service.name) ?? application.port;
      while (taken.has(port)) port += 1;
      taken.add(port);
      found.set(running.service.name, { port, address: "127.0.0.1" });
    }
  }
  for (const [service, port] of request.public)
    found.set(service, { port, address: found.get(service)?.address ?? "127.0.0.1" });
  return found;
}

function serviceOf(
  { application, environment }: FoundApplication,
  listener: Listener | undefined,
): Record<string, unknown> {
  const { port, health, replicas, volumes, memory, user, stopGrace } = application;
  return {
    port,
    ...(listener === undefined ? {} : { public: { port: listener.port, ...addressOf(listener.address) } }),
    ...(environment.database === undefined ? {} : { database: environment.database }),
    health,
    ...(replicas === 1 ? {} : { replicas }),
    ...(environment.env.size === 0 ? {} : { env: Object.fromEntries<MaybeSecret>(environment.env) }),
    ...(volumes.size === 0 ? {} : { volumes: Object.fromEntries(volumes) }),
    ...(memory === undefined ? {} : { memory: `${memory}MB` }),
    ...(user === undefined ? {} : { user }),
    ...(stopGrace === undefined ? {} : { stopGrace: `${stopGrace}s` }),
  };
}

function addressOf(address: string | undefined): { address?: string } {
  return address === undefined || address === "127.0.0.1" ? {} : { address };
}

/** Roles that wrote to a database until now: kept out while its schema changes. No superuser, whom no fence holds. */
function writersOf(
  { facts }: FoundServer,
  name: string,
  applications: readonly FoundApplication[],
): string[] {
  const users = applications.flatMap(({ environment }) =>
    environment.database === name ? environment.users : [],
  );
  const owners = facts.databases.find((database) => database.name === name)?.owners ?? [];
  const may = new Set(facts.logins.filter(({ superuser }) => !superuser).map((login) => login.name));
  return [...new Set([...users, ...owners])].filter((role) => may.has(role)).sort();
}

function relative(home: string, folder: string): string {
  const way = path.relative(home, folder);
  return way.startsWith("..") || path.isAbsolute(way) ? folder : way === "" ? "." : way;
}
