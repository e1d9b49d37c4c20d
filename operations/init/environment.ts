import type { MaybeSecret } from "../../settings/types.ts";

/** Whom a service's variables may mention. */
export interface Neighbours {
  /** Names by which PostgreSQL is reached, and roles with which services log in to it. */
  readonly server: { readonly aliases: readonly string[]; readonly users: readonly string[] };
  /** Caches and services: names by which each is reached, and the name it gets. */
  readonly caches: readonly Neighbour[];
  readonly services: readonly Neighbour[];
  /** Names of what is not taken along. */
  readonly others: readonly string[];
}

export interface Neighbour {
  readonly name: string;
  readonly aliases: readonly string[];
}

/** A service's environment in the words of a stack configuration. */
export interface Translated {
  readonly env: ReadonlyMap<string, MaybeSecret>;
  /** Secrets by the name they got; never shown. */
  readonly secrets: ReadonlyMap<string, string>;
  /** The database it uses; undefined: none that is told by its variables. */
  readonly database: string | undefined;
  /** Roles that it logs in to PostgreSQL with. */
  readonly users: readonly string[];
  /** What should be looked at, a sentence each; no values. */
  readonly notes: readonly string[];
}

const secretName =
  /(PASS(WORD|WD|PHRASE)?|SECRET|TOKEN|API_?KEY|PRIVATE|CREDENTIALS?|SALT|DSN|COOKIE|SIGNING|ENCRYPTION|LICEN[CS]E|(^|_)AUTH|(^|_)KEY)(_|$)/i;

/** Variables of a service to references, secrets and texts. `taken` are the secrets that other services have already named. Pure. */
export function translate(
  service: string,
  variables: ReadonlyMap<string, string>,
  neighbours: Neighbours,
  taken: ReadonlyMap<string, string>,
): Translated {
  const database = databaseOf(variables, neighbours);
  const parts = databaseVariables(variables, neighbours, database.users);
  const env = new Map<string, MaybeSecret>();
  const secrets = new Map(taken);
  const notes: string[] = [];
  for (const [name, value] of [...variables].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const reference = parts.get(name) ?? referenceTo(value, neighbours);
    if (reference !== undefined) env.set(name, reference);
    else if (isSecret(name, value)) env.set(name, { secret: keep(secrets, service, name, value) });
    else env.set(name, plain(value));
    const other = reference === undefined ? mentioned(value, neighbours.others) : undefined;
    if (other !== undefined)
      notes.push(
        `${name} of ${service} mentions ${other}, which is not taken along: name an address that containers of the stack reach`,
      );
  }
  return { env, secrets, database: database.name, users: database.users, notes };
}

/** A text that means itself in a template. */
function plain(value: string): string {
  return value.replaceAll("${", () => "$${");
}

function isSecret(name: string, value: string): boolean {
  if (value === "") return false;
  return secretName.test(name) || /:\/\/[^/\s:@]*:[^/\s@]+@/.test(value) || /^[A-Fa-f0-9]{32,}$/.test(value);
}

/** The secret's name: the variable's, in the way of the others, with the service's in front when another one has it. */
function keep(secrets: Map<string, string>, service: string, variable: string, value: string): string {
  const short = camel(variable);
  const free = [short, camel(`${service}_${variable}`)].find((name) => {
    const known = secrets.get(name);
    return name !== "db" && (known === undefined || known === value);
  });
  const name = free ?? `${camel(`${service}_${variable}`)}2`;
  secrets.set(name, value);
  return name;
}

function camel(text: string): string {
  const [first = "", ...rest] = text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
  const joined = first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^[a-z]/.test(joined) ? joined : `s${joined}`;
}

const urlPattern =
  /^([a-z][a-z0-9+.:-]*):\/\/(?:([^/\s:@]*)(?::([^/\s@]*))?@)?([^/\s:@?]+)(?::(\d+))?(\/[^\s?]*)?(\?\S*)?$/i;

interface Url {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

function urlOf(value: string): Url | undefined {
  const [, scheme, user, , host, , path = "", query = ""] = urlPattern.exec(value) ?? [];
  return scheme === undefined || host === undefined ? undefined : { scheme, user, host, path, query };
}

function isPostgres(url: Url | undefined, { server }: Neighbours): url is Url {
  return url !== undefined && /postgres|pgsql/i.test(url.scheme) && server.aliases.includes(url.host);
}

/** Host variables, such as DB_HOST, PGHOST or POSTGRES_SERVER, that name PostgreSQL: what is in front of HOST. */
function hostPrefixes(variables: ReadonlyMap<string, string>, { server }: Neighbours): string[] {
  return [...variables].flatMap(([name, value]) => {
    const [, prefix] = /^(.*?)(?:HOST(?:NAME)?|SERVER|ADDR(?:ESS)?)$/i.exec(name) ?? [];
    return prefix !== undefined && server.aliases.includes(value.replace(/:5432$/, "")) ? [prefix] : [];
  });
}

function databaseOf(
  variables: ReadonlyMap<string, string>,
  neighbours: Neighbours,
): { name: string | undefined; users: string[] } {
  const urls = [...variables.values()].map(urlOf).filter((url) => isPostgres(url, neighbours));
  const prefixes = hostPrefixes(variables, neighbours);
  const valueOf = (ends: readonly string[]): string | undefined =>
    prefixes
      .flatMap((prefix) => ends.map((end) => variables.get(prefix + end)))
      .find((value) => value !== undefined && value !== "");
  const name = urls.map(({ path }) => decodeURIComponent(path.slice(1))).find(Boolean) ?? valueOf(nameEnds);
  const users = [...urls.map(({ user }) => user), valueOf(userEnds)].filter(
    (user) => user !== undefined && user !== "",
  );
  return { name, users: [...new Set(users.filter((user): user is string => user !== undefined))] };
}

const nameEnds = ["NAME", "DATABASE", "DB", "DBNAME"];
const userEnds = ["USER", "USERNAME"];
const passwordEnds = ["PASSWORD", "PASS", "PASSWD"];

/** What takes the place of the variables by which a service finds its database. */
function databaseVariables(
  variables: ReadonlyMap<string, string>,
  neighbours: Neighbours,
  users: readonly string[],
): Map<string, string> {
  const found = new Map<string, string>();
  for (const prefix of hostPrefixes(variables, neighbours)) {
    for (const [name, value] of variables) {
      if (!name.startsWith(prefix)) continue;
      const end = name.slice(prefix.length).toUpperCase();
      const part = /^(HOST(NAME)?|SERVER|ADDR(ESS)?)$/.test(end)
        ? value.endsWith(":5432")
          ? "${database.host}:${database.port}"
          : "${database.host}"
        : end === "PORT"
          ? "${database.port}"
          : nameEnds.includes(end)
            ? "${database.name}"
            : userEnds.includes(end)
              ? "${database.user}"
              : passwordEnds.includes(end)
                ? "${database.password}"
                : undefined;
      if (part !== undefined) found.set(name, part);
    }
  }
  const known = new Set([...users, ...neighbours.server.users]);
  for (const [name, value] of variables) {
    const url = urlOf(value);
    if (isPostgres(url, neighbours)) {
      found.set(name, postgresUrl(url));
      // Beside a URL without a user, such as JDBC's, they stand in variables of their own.
      if (url.user !== undefined) continue;
      for (const [other, text] of variables) {
        if (/USER(NAME)?$/i.test(other) && known.has(text)) found.set(other, "${database.user}");
        if (/PASS(WORD|WD)?$/i.test(other) && text !== "") found.set(other, "${database.password}");
      }
    }
  }
  return found;
}

function postgresUrl({ scheme, user, query }: Url): string {
  const rest = plain(query);
  if (/^postgres(ql)?$/i.test(scheme)) return `\${database.url}${rest}`;
  const login = user === undefined ? "" : "${database.user}:${database.password}@";
  return `${scheme}://${login}\${database.host}:\${database.port}/\${database.name}${rest}`;
}

/** A value that is the address of a cache or a service; undefined: it is none. */
function referenceTo(value: string, { caches, services }: Neighbours): string | undefined {
  for (const [room, all] of [
    ["caches", caches],
    ["services", services],
  ] as const) {
    for (const { name, aliases } of all) {
      if (aliases.includes(value)) return `\${${room}.${name}.host}`;
      const [, host, port] = /^([^/\s:]+):(\d+)$/.exec(value) ?? [];
      if (host !== undefined && port !== undefined && aliases.includes(host))
        return `\${${room}.${name}.host}:\${${room}.${name}.port}`;
      const url = urlOf(value);
      if (url === undefined || !aliases.includes(url.host)) continue;
      const rest = plain(`${url.path}${url.query}`);
      if (room === "caches" ? /^rediss?$/i.test(url.scheme) : url.scheme === "http")
        return `\${${room}.${name}.url}${rest}`;
      return `${url.scheme}://\${${room}.${name}.host}:\${${room}.${name}.port}${rest}`;
    }
  }
  return undefined;
}

/** One of these names as a host in a value. */
function mentioned(value: string, names: readonly string[]): string | undefined {
  const host = urlOf(value)?.host ?? /^([^/\s:]+)(:\d+)?$/.exec(value)?.[1];
  return names.find((name) => name === host);
}
