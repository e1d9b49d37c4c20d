import path from "node:path";
import { Refusal } from "../../settings/refusal.ts";
import { readCompose, type ComposeProject } from "./compose.ts";
import {
  aliasesOf,
  allContainers,
  containersOf,
  roleOf,
  type Role,
  type RunningService,
} from "./containers.ts";
import { readApplication, type Application } from "./application.ts";
import { translate, type Neighbour, type Translated } from "./environment.ts";
import { foldersOf } from "./folders.ts";
import { imageDefaults } from "./images.ts";
import { readDatabase, type FoundDatabase } from "./databases.ts";
import { lookAtProxy, type Fronted } from "./proxy.ts";
import type { Draft, InitRequest } from "./request.ts";
import { readCache } from "./cache.ts";
import { partOf } from "./draft-names.ts";
import { readServer, type FoundServer } from "./server.ts";
import { compile } from "./compile.ts";
import type { Findings, FoundApplication } from "./findings.ts";

/**
 * Makes a stack configuration from compose files and from what runs of them; changes nothing. Everything that it does not
 * understand is in one Refusal `INIT_UNCLEAR`, with the option that answers it. Throws `INIT_COMPOSE`, `TAKEOVER_UNREACHABLE` too.
 */
export async function draft(request: InitRequest, environment: ReadonlyMap<string, string>): Promise<Draft> {
  const compose = await readCompose(request.folder, request.files, environment);
  refuseUnknownNames(compose, request);
  const all = await allContainers();
  const problems: string[] = [];
  const checks: string[] = [];
  const running: RunningService[] = [];
  for (const service of compose.services.values()) {
    if (request.without.has(service.name)) continue;
    const [first, ...more] = containersOf(compose, service, all).filter((each) => each.running);
    if (first !== undefined) {
      const containers = [first, ...more] as const;
      running.push({
        service,
        role: roleOf(first),
        containers: [...containers],
        aliases: aliasesOf(service, containers),
      });
    } else if (service.profiles.length > 0) {
      checks.push(`${service.name} (profile ${service.profiles.join(", ")}) does not run and is left out`);
    } else {
      problems.push(
        `${service.name} does not run, and what runs is what is taken over: start it (docker compose up -d ${service.name}), or leave it out (--without ${service.name})`,
      );
    }
  }
  const of = (role: Role): RunningService[] => running.filter((each) => each.role === role);
  const servers = of("server");
  const [server] = servers;
  if (server === undefined || servers.length > 1) {
    problems.push(
      server === undefined
        ? "none of the services that run is a PostgreSQL server"
        : `several services are PostgreSQL servers: ${servers.map(({ service }) => service.name).join(", ")}; a stack has one, so leave the others to Compose (--without NAME)`,
    );
    throw unclear(compose, problems);
  }
  const found = await readServer(server, request);
  const taken = new Set(
    all.flatMap(({ running: up, published }) => (up ? published.map(({ port }) => port) : [])),
  );
  const begun = { server, found, taken, problems, checks };
  const findings = await look(request, compose, begun, of, neighboursOf(request, compose, of));
  if (findings.problems.length > 0) throw unclear(compose, findings.problems);
  return compile(request, compose, findings);
}

interface Begun {
  readonly server: RunningService;
  readonly found: FoundServer;
  readonly taken: ReadonlySet<number>;
  readonly problems: readonly string[];
  readonly checks: readonly string[];
}

async function look(
  request: InitRequest,
  compose: ComposeProject,
  begun: Begun,
  of: (role: Role) => RunningService[],
  names: ReturnType<typeof neighboursOf>,
): Promise<Findings> {
  const { server, found } = begun;
  const problems = [...begun.problems, ...found.problems];
  const applications: FoundApplication[] = [];
  let secrets: ReadonlyMap<string, string> = new Map();
  for (const running of of("application")) {
    const { name } = running.service;
    const [container] = running.containers;
    const folders = await foldersOf(name, container, request);
    const said = { health: request.health.get(name), port: request.ports.get(name) };
    const read = await readApplication(running, await imageDefaults(container), said, folders);
    problems.push(...read.problems);
    if (read.application === undefined) continue;
    const environment = translate(
      name,
      read.application.variables,
      {
        server: { aliases: server.aliases, users: [found.facts.user] },
        caches: names.caches,
        services: names.services,
        others: names.others,
      },
      secrets,
    );
    secrets = environment.secrets;
    applications.push(foundApplication(running, names.services, read.application, environment));
  }
  const proxies = await Promise.all(
    of("proxy").map(
      async ({ service, containers }): Promise<{ name: string; container: string; fronted: Fronted }> => ({
        name: service.name,
        container: containers[0].name,
        fronted: await lookAtProxy(containers[0], names.services),
      }),
    ),
  );
  const databases = await Promise.all(
    databasesOf(applications).map((name): Promise<FoundDatabase> => {
      const users = applications.filter(({ environment }) => environment.database === name);
      const builds = users.flatMap(({ running }) => running.service.build ?? []);
      const migrations = request.migrations.get(name);
      return readDatabase(
        {
          name,
          folders: [compose.folder, ...builds],
          migrations: migrations === undefined ? undefined : path.resolve(migrations),
        },
        found.access,
      );
    }),
  );
  problems.push(...databases.flatMap((each) => ("problem" in each ? [each.problem] : [])));
  if (of("application").length === 0) problems.push("none of the services that run is an application");
  else if (databases.length === 0 && problems.length === 0)
    problems.push("no service tells by its variables which database of the server it uses");
  return {
    server: found,
    applications,
    secrets,
    databases: databases.flatMap((each) => ("standing" in each ? [each] : [])),
    caches: await Promise.all(
      of("cache").map((each) => readCache(each, request.clear.get(each.service.name))),
    ),
    proxies,
    taken: begun.taken,
    problems,
    checks: begun.checks,
  };
}

function foundApplication(
  running: RunningService,
  services: readonly Neighbour[],
  application: Application,
  environment: Translated,
): FoundApplication {
  const name =
    services.find(({ aliases }) => aliases.includes(running.service.name))?.name ?? running.service.name;
  return { name, running, application, environment };
}

function databasesOf(applications: readonly FoundApplication[]): string[] {
  return [...new Set(applications.flatMap(({ environment }) => environment.database ?? []))];
}

/** What the services may call each other, and what they will be called. */
function neighboursOf(
  request: InitRequest,
  compose: ComposeProject,
  of: (role: Role) => RunningService[],
): { services: Neighbour[]; caches: Neighbour[]; others: string[] } {
  const named = (all: readonly RunningService[]): Neighbour[] =>
    all.map(({ service, aliases }) => ({ name: partOf(service.name), aliases }));
  return {
    services: named(of("application")),
    caches: named(of("cache")),
    others: [...compose.services.keys()].filter((name) => request.without.has(name)),
  };
}

function refuseUnknownNames(compose: ComposeProject, request: InitRequest): void {
  const named = [
    ...request.without,
    ...request.health.keys(),
    ...request.ports.keys(),
    ...request.public.keys(),
    ...request.clear.keys(),
  ];
  const unknown = [...new Set(named)].filter((name) => !compose.services.has(name));
  if (unknown.length === 0) return;
  throw new Refusal({
    code: "INIT_UNKNOWN",
    found: `${unknown.join(", ")} is no service of ${compose.files.join(", ")}; it has ${[...compose.services.keys()].join(", ")}.`,
    untouched: "Nothing was written.",
    next: "Name a service of the compose file.",
  });
}

function unclear({ files }: ComposeProject, problems: readonly string[]): Refusal {
  return new Refusal({
    code: "INIT_UNCLEAR",
    found: `${files.join(", ")} and what runs of it do not make a stack yet:${problems.map((problem) => `\n    ${problem}`).join("")}`,
    untouched: "Nothing was written and nothing was stopped.",
    next: "Answer each, with the option that it names or by a change of what runs, and repeat.",
  });
}
