import path from "node:path";
import { releaseName } from "../../settings/identifiers.ts";
import type { MaybeSecret } from "../../settings/types.ts";
import type { Application } from "./application.ts";
import type { FoundCache } from "./cache.ts";
import type { ComposeProject } from "./compose.ts";
import type { RunningService } from "./containers.ts";
import type { FoundDatabase } from "./databases.ts";
import { partOf } from "./draft-names.ts";
import type { Translated } from "./environment.ts";
import type { Fronted } from "./proxy.ts";
import type { Draft, InitRequest } from "./request.ts";
import type { FoundServer } from "./server.ts";
import { serverSettings } from "./server-settings.ts";

/** An application service, under the name that it gets. */
export interface FoundApplication {
  readonly name: string;
  readonly running: RunningService;
  readonly application: Application;
  readonly environment: Translated;
}

/** All that was found of a compose project. */
export interface Findings {
  readonly server: FoundServer;
  readonly applications: readonly FoundApplication[];
  readonly secrets: ReadonlyMap<string, string>;
  readonly databases: readonly Extract<FoundDatabase, { standing: unknown }>[];
  readonly caches: readonly FoundCache[];
  readonly proxies: readonly {
    readonly name: string;
    readonly container: string;
    readonly fronted: Fronted;
  }[];
  /** Ports of this machine that containers publish. */
  readonly taken: ReadonlySet<number>;
  readonly problems: readonly string[];
  readonly checks: readonly string[];
}

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
    "rollback:takeover": {
      server: server.container,
      containers: [
        ...proxies.map(({ container }) => container),
        ...applications.flatMap(({ running }) => running.containers.map(({ name }) => name)),
        ...caches.map(({ container }) => container),
      ],
    },
  };
  return {
    config,
    secrets: findings.secrets,
    comments: commentsOf(release, compose, findings),
    bind: server.bind,
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

interface Listener {
  readonly port: number;
  readonly address: string;
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

function commentsOf(
  release: string,
  { files }: ComposeProject,
  { caches }: Pick<Findings, "caches">,
): Map<string, string> {
  const comments = new Map([
    [
      "config rollback:releases",
      `Made by \`rollback init\` from ${files.map((file) => path.basename(file)).join(", ")} and what ran of it.\nThe catalogue: a new build is a new release beside this one, with the schema that it wants.`,
    ],
    [
      "config rollback:live",
      "Who serves. To deploy, name the new release here and `pulumi up`; to roll back, put this line back.",
    ],
    [`config rollback:releases ${release} schema`, "The newest migration that is applied to each database."],
    [
      "config rollback:takeover",
      "What the first `pulumi up` stops and takes the place of. May be taken out after that.",
    ],
    ["config rollback:cluster volume", "The volume that held the data before, as it is."],
  ]);
  for (const { service, said, beginnings } of caches) {
    const seen = beginnings.length === 0 ? "" : `; it holds keys that begin with ${beginnings.join(", ")}`;
    if (!said)
      comments.set(
        `config rollback:caches ${partOf(service)}`,
        `What is cleared when code or schema changes: a pattern, or all: true${seen}.`,
      );
  }
  return comments;
}

function checksOf(
  { applications, caches, proxies }: Findings,
  listeners: ReadonlyMap<string, Listener>,
): string[] {
  const several = proxies.filter(({ fronted }) => fronted.services.length > 1);
  return [
    ...applications.flatMap(({ environment }) => environment.notes),
    ...several.map(
      ({ name, fronted }) =>
        `${name} routes to ${fronted.services.join(", ")} by name or path, and the stack's gateway has a port for each public service: say which (${fronted.services.map((service) => `--public ${service}=PORT`).join(" ")}), and let what is in front of it follow`,
    ),
    ...proxies
      .filter(({ fronted }) => fronted.tls)
      .map(
        ({ name }) =>
          `${name} ends TLS, which the stack's gateway does not: keep a proxy for that in front (--without ${name}, --public SERVICE=PORT, and point it there)`,
      ),
    ...(listeners.size === 0
      ? ["no service is public: say which one the gateway shows to the outside (--public SERVICE=PORT)"]
      : []),
    ...caches.map(
      ({ service, keys, clear, said }) =>
        `${service} starts empty: ${keys === undefined ? "what it holds" : `the ${keys} keys that it holds`} are not taken along${said ? "" : `; from then on ${clear} is cleared when code or schema changes, unless you say otherwise`}`,
    ),
  ];
}

function happens({ server, applications, caches, proxies, databases }: Findings): string[] {
  const stopped = [
    ...proxies.map(({ container }) => container),
    ...applications.flatMap(({ running }) => running.containers.map(({ name }) => name)),
    ...caches.map(({ container }) => container),
    server.container,
  ];
  return [
    `makes the stack's network, caches and containers beside what runs, and dumps ${databases.map(({ name }) => name).join(", ")}`,
    `stops ${stopped.join(", ")}; they are kept, and nobody is served until the stack's own are up`,
    `takes over the volume ${server.volume} with all its rows: PostgreSQL gets the superuser postgres and the stack's access rules, and what is in ${databases.map(({ name }) => name).join(", ")} goes to an owner role`,
    "starts the stack's server, services and gateway, and checks that they are well before it calls itself done",
  ];
}
