import path from "node:path";
import type { ComposeProject } from "./compose.ts";
import type { Findings, Listener } from "./findings.ts";
import { partOf } from "./draft-names.ts";
import { stays } from "./proxy.ts";

/** Comments of the stack file, as `Draft.comments`. Pure. */
export function commentsOf(
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

/** What a person should look at. Pure. */
export function checksOf(
  { applications, caches, proxies }: Findings,
  listeners: ReadonlyMap<string, Listener>,
): string[] {
  const kept = proxies.filter(({ fronted }) => stays(fronted));
  const replaced = proxies.filter(({ fronted }) => !stays(fronted));
  const several = replaced.filter(({ fronted }) => fronted.services.length > 1);
  return [
    ...applications.flatMap(({ environment }) => environment.notes),
    ...applications.flatMap(({ name, application }) =>
      application.folders.map(
        ({ folder, volume, destination }) =>
          `${name} keeps files in ${folder} (${destination}): they stay where they are, under the volume ${volume}; a rollback takes none of them back, and all releases see the same ones`,
      ),
    ),
    ...kept.map(({ container, fronted }) => {
      const places = applications.flatMap(({ name, running }) => {
        const listener = listeners.get(running.service.name);
        return fronted.services.includes(name) && listener !== undefined
          ? [`http://127.0.0.1:${listener.port} for ${name}`]
          : [];
      });
      return `${container} stays in front, because it ends TLS or routes by name or path: before the first \`pulumi up\`, edit its own files so that it passes requests on to ${places.join(", ")}; it need not be reloaded, \`pulumi up\` does that, and refuses before`;
    }),
    ...several.map(
      ({ name, fronted }) =>
        `${name} routes to ${fronted.services.join(", ")} by name or path, and the stack's gateway has a port for each public service: say which (${fronted.services.map((service) => `--public ${service}=PORT`).join(" ")}), and let what is in front of it follow`,
    ),
    ...replaced
      .filter(({ fronted }) => fronted.tls)
      .map(
        ({ name }) =>
          `${name} ends TLS, which the stack's gateway does not: an nginx with a folder of this machine that it includes in http (./conf.d:/etc/nginx/conf.d) could stay in front; or keep another proxy there (--without ${name}, --public SERVICE=PORT, and point it there)`,
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

/** What the first `pulumi up` will do. Pure. */
export function happens({ server, applications, caches, proxies, databases }: Findings): string[] {
  const kept = proxies.flatMap(({ container, fronted }) =>
    stays(fronted) && fronted.front !== undefined ? [{ container, folder: fronted.front.folder }] : [],
  );
  const stopped = [
    ...proxies.filter(({ fronted }) => !stays(fronted)).map(({ container }) => container),
    ...applications.flatMap(({ running }) => running.containers.map(({ name }) => name)),
    ...caches.map(({ container }) => container),
    server.container,
  ];
  return [
    `makes the stack's network, caches and containers beside what runs, and dumps ${databases.map(({ name }) => name).join(", ")}`,
    `stops ${stopped.join(", ")}; they are kept, and nobody is served until the stack's own are up`,
    `takes over the volume ${server.volume} with all its rows: PostgreSQL gets the superuser postgres and the stack's access rules, and what is in ${databases.map(({ name }) => name).join(", ")} goes to an owner role`,
    ...kept.map(
      ({ container, folder }) =>
        `gives ${container} one file more, in ${folder}, and reloads it; it is not stopped`,
    ),
    "starts the stack's server, services and gateway, and checks that they are well before it calls itself done",
  ];
}
