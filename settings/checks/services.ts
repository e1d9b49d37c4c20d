import { inDependencyOrder } from "../dependencies.ts";
import { suggestion, unknownName, type KeyPath, type Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";
import { parseTemplate, type TemplatePiece } from "../template.ts";

export type ServiceEntry =
  Rooms["services"]["valid"] extends ReadonlyMap<string, infer Value> ? Value : never;

/** What services refer to is there, their ports differ, and none waits for itself. */
export function checkServices(rooms: Rooms): Problem[] {
  const each = [...rooms.services.valid].flatMap(([name, service]) => [
    ...database(rooms, name, service),
    ...variables(rooms, name, service),
    ...reloadHeaders(rooms, name, service),
  ]);
  return [...each, ...publicPorts(rooms), ...innerPorts(rooms), ...cycle(rooms), ...somethingPublic(rooms)];
}

/** Per service the services whose address its environment mentions. */
export function serviceNeeds(
  services: ReadonlyMap<string, Pick<ServiceEntry, "env">>,
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...services].map(([name, { env = {} }]) => [
      name,
      Object.values(env)
        .flatMap((value) => (typeof value === "string" ? parseTemplate(value) : []))
        .flatMap((piece) => (piece.kind === "service" ? [piece.name] : [])),
    ]),
  );
}

function database({ databases }: Rooms, name: string, service: ServiceEntry): Problem[] {
  if (
    service.database === undefined ||
    databases.names === undefined ||
    databases.names.has(service.database)
  )
    return [];
  return [
    unknownName(
      ["services", name, "database"],
      service.database,
      "a database of rollback:databases",
      databases.names,
    ),
  ];
}

function variables(rooms: Rooms, name: string, service: ServiceEntry): Problem[] {
  return Object.entries(service.env ?? {}).flatMap(([variable, value]) => {
    const path: KeyPath = ["services", name, "env", variable];
    if (typeof value === "string")
      return parseTemplate(value).flatMap((piece) => template(rooms, path, service, piece));
    return secretExists(rooms, [...path, "secret"], value.secret);
  });
}

function reloadHeaders(rooms: Rooms, name: string, service: ServiceEntry): Problem[] {
  return Object.entries(service.reload?.headers ?? {}).flatMap(([header, value]) =>
    typeof value === "string"
      ? []
      : secretExists(rooms, ["services", name, "reload", "headers", header, "secret"], value.secret),
  );
}

/** The secret that is named is there. The name is not repeated: people put the secret itself in its place. */
export function secretExists({ secrets }: Rooms, path: KeyPath, name: string): Problem[] {
  if (secrets === undefined || Object.hasOwn(secrets, name)) return [];
  return [{ path, text: `names no entry of rollback:secrets; ${suggestion(name, Object.keys(secrets))}` }];
}

const templates =
  "${release}, ${database.url} (or .host, .port, .name, .user, .password), ${services.NAME.url} and ${caches.NAME.url} (or .host, .port); $${ stands for a plain ${";

function template(rooms: Rooms, path: KeyPath, service: ServiceEntry, piece: TemplatePiece): Problem[] {
  if (piece.kind === "unknown") {
    // Anything that does not look like a reference may be part of a password, and is not repeated.
    const { expression = "" } = piece;
    const what = /^[A-Za-z_.-]{1,40}$/.test(expression) ? `\${${expression}}` : "what follows ${";
    return [{ path, text: `${what} is not a reference; known: ${templates}` }];
  }
  if (piece.kind === "database" && service.database === undefined) {
    return [{ path, text: `mentions \${database.${piece.part}}, but the service has no \`database\`` }];
  }
  if (piece.kind === "service" && rooms.services.names?.has(piece.name) === false) {
    return [unknownName(path, piece.name, "a service of rollback:services", rooms.services.names)];
  }
  if (piece.kind === "cache" && rooms.caches.valid.get(piece.name)?.kind === "files") {
    return [
      {
        path,
        text: `mentions \${caches.${piece.name}.url}, but ${piece.name} is files in a volume and no server`,
      },
    ];
  }
  if (piece.kind === "cache" && rooms.caches.names?.has(piece.name) === false) {
    return [unknownName(path, piece.name, "a cache of rollback:caches", rooms.caches.names)];
  }
  return [];
}

/** An nginx of the user's has something to pass on. */
function somethingPublic({ gateway, services }: Rooms): Problem[] {
  if (gateway?.existing === undefined || services.names?.size !== services.valid.size) return [];
  if ([...services.valid.values()].some(({ public: open }) => open !== undefined)) return [];
  return [
    {
      path: ["gateway", "existing"],
      text: "no service has `public`, so there is nothing that this nginx could pass on; say services.NAME.public, or leave this out",
    },
  ];
}

interface Listener {
  readonly name: string;
  readonly port: number;
  /** Undefined: all. */
  readonly address?: string;
}

function publicPorts({ services }: Rooms): Problem[] {
  const listeners = [...services.valid].flatMap(([name, { public: open }]) =>
    open === undefined ? [] : [{ name, ...open }],
  );
  return clashes(listeners).map(({ name, port, other }) => ({
    path: ["services", name, "public", "port"],
    text: `found ${port}, which is the public port of ${other}; each service needs its own`,
  }));
}

/** Between services the router tells them apart by port. */
function innerPorts({ services }: Rooms): Problem[] {
  return clashes([...services.valid].map(([name, { port }]) => ({ name, port }))).map(
    ({ name, port, other }) => ({
      path: ["services", name, "port"],
      text: `found ${port}, which is the port of ${other}; services reach one another by port, so each needs its own`,
    }),
  );
}

function clashes(listeners: readonly Listener[]): { name: string; port: number; other: string }[] {
  return listeners.flatMap((listener, index) => {
    const other = listeners
      .slice(0, index)
      .find((each) => each.port === listener.port && overlap(each.address, listener.address));
    return other === undefined ? [] : [{ name: listener.name, port: listener.port, other: other.name }];
  });
}

/** Whether two addresses to listen on keep each other from one port. */
export function overlap(one: string | undefined, other: string | undefined): boolean {
  const all = (address: string | undefined) =>
    address === undefined || address === "0.0.0.0" || address === "::";
  return one === other || all(one) || all(other);
}

function cycle({ services }: Rooms): Problem[] {
  const result = inDependencyOrder(serviceNeeds(services.valid));
  if (!("cycle" in result)) return [];
  const [first = ""] = result.cycle;
  const text = `services need each other's address in a circle (${result.cycle.join(" → ")}), so none could start first`;
  return [{ path: ["services", first, "env"], text }];
}
