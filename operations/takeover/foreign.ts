import { z } from "zod";
import { Refusal, isRefusal } from "../../settings/refusal.ts";
import { withClient, type Server } from "../database/connection.ts";
import { rowOf, rowsOf } from "../database/query.ts";
import { docker, DockerFailure } from "../docker/run.ts";
import type { ForeignContainer } from "./inspect.ts";

/** Where PostgreSQL's images keep the data, unless PGDATA says otherwise. */
const usualFolder = "/var/lib/postgresql/data";

/** A PostgreSQL server that somebody else runs, in what matters to whoever takes its data over. Holds no secret. */
export interface ForeignServer {
  readonly version: string;
  readonly major: number;
  /** As which role it was looked at: a superuser. */
  readonly user: string;
  readonly dataDirectory: string;
  readonly databases: readonly ForeignDatabase[];
  readonly roles: readonly string[];
  /** Roles that can log in, but for the one it was looked at as. */
  readonly logins: readonly { readonly name: string; readonly superuser: boolean; readonly md5: boolean }[];
  /** Settings that do not lie in the data directory: of the command line, or of a file elsewhere. */
  readonly settings: ReadonlyMap<string, string>;
  readonly preloaded: readonly string[];
  /** Folders outside the data directory. */
  readonly tablespaces: readonly string[];
}

export interface ForeignDatabase {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  /** Locales of the operating system that it needs. */
  readonly locales: readonly string[];
  readonly extensions: readonly string[];
  /** Roles that can log in, are no superuser, and own something in it. */
  readonly owners: readonly string[];
}

/** How a server in somebody else's container is reached and as whom; the password comes from that container. */
export async function foreignAccess(container: ForeignContainer): Promise<Server> {
  const published = container.published.find(({ inner }) => inner === 5432);
  const [address] = [...container.networks.values()].filter(Boolean);
  const { environment } = container;
  return {
    host: published === undefined ? (address ?? "127.0.0.1") : loopback(published.address),
    port: published?.port ?? 5432,
    user: environment.get("POSTGRES_USER") ?? "postgres",
    password: await passwordOf(container),
    ssl: "disable",
  };
}

function loopback(address: string): string {
  return address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
}

/** As the images take it: by POSTGRES_PASSWORD, or from the file that POSTGRES_PASSWORD_FILE names. */
async function passwordOf({ name, environment }: ForeignContainer): Promise<string> {
  const file = environment.get("POSTGRES_PASSWORD_FILE");
  if (file === undefined) return environment.get("POSTGRES_PASSWORD") ?? "";
  try {
    return (await docker(["exec", name, "cat", file])).trimEnd();
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    throw unreachable(name, `its POSTGRES_PASSWORD_FILE ${file} cannot be read: ${error.stderr}`, error);
  }
}

const factsSchema = z.object({
  version: z.string(),
  number: z.coerce.number(),
  user: z.string(),
  dataDirectory: z.string(),
  preloaded: z.string(),
  roles: z.array(z.string()),
  logins: z.array(z.object({ name: z.string(), superuser: z.boolean(), md5: z.boolean() })),
  settings: z.record(z.string(), z.string()),
  tablespaces: z.array(z.string()),
  databases: z.array(
    z.object({ name: z.string(), owner: z.string(), encoding: z.string(), locales: z.array(z.string()) }),
  ),
});

const superuserSelect = "select current_setting('is_superuser')::bool as superuser";

const factsSelect = `
  select current_setting('server_version') as version, current_setting('server_version_num') as number,
         current_user::text as "user",
         current_setting('data_directory', true) as "dataDirectory",
         current_setting('shared_preload_libraries') as preloaded,
         (select json_agg(rolname) from pg_roles) as roles,
         coalesce((select json_agg(json_build_object('name', rolname, 'superuser', rolsuper,
             'md5', coalesce((select rolpassword like 'md5%' from pg_authid a where a.oid = r.oid), false)) order by rolname)
           from pg_roles r where rolcanlogin and rolname <> current_user), '[]') as logins,
         coalesce((select json_object_agg(name, current_setting(name)) from pg_settings
           where source = 'command line'
              or (source = 'configuration file' and not starts_with(sourcefile, current_setting('data_directory')))), '{}') as settings,
         coalesce((select json_agg(pg_tablespace_location(oid)) from pg_tablespace
           where pg_tablespace_location(oid) <> ''), '[]') as tablespaces,
         (select json_agg(json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
             'encoding', pg_encoding_to_char(encoding), 'locales', array[datcollate, datctype]) order by datname)
           from pg_database where not datistemplate) as databases`;

const insideSchema = z.object({ extensions: z.array(z.string()), owners: z.array(z.string()) });

const insideSelect = `
  select coalesce((select json_agg(extname order by extname) from pg_extension where extname <> 'plpgsql'), '[]') as extensions,
         coalesce((select json_agg(distinct r.rolname) from pg_class c join pg_roles r on r.oid = c.relowner
           where r.rolcanlogin and not r.rolsuper), '[]') as owners`;

/** Looks at a foreign server; changes nothing. Throws the Refusal `TAKEOVER_UNREACHABLE` when it cannot be asked as superuser. */
export async function observeForeign(container: string, server: Server): Promise<ForeignServer> {
  const facts = await asking(container, () =>
    withClient(server, "postgres", async (client) => {
      const { superuser } = await rowOf(client, z.object({ superuser: z.boolean() }), superuserSelect);
      if (!superuser) throw unreachable(container, `${server.user} is no superuser of it`);
      return rowOf(client, factsSchema, factsSelect);
    }),
  );
  const databases = await Promise.all(
    facts.databases.map(async (database): Promise<ForeignDatabase> => {
      const [inside] = await withClient(server, database.name, (client) =>
        rowsOf(client, insideSchema, insideSelect),
      );
      return {
        ...database,
        locales: [...new Set(database.locales)],
        extensions: inside?.extensions ?? [],
        owners: inside?.owners ?? [],
      };
    }),
  );
  return {
    version: facts.version,
    major: Math.floor(facts.number / 10_000),
    user: facts.user,
    dataDirectory: facts.dataDirectory,
    databases,
    roles: facts.roles,
    logins: facts.logins,
    settings: new Map(Object.entries(facts.settings)),
    preloaded: facts.preloaded
      .split(",")
      .map((name) => name.trim().replace(/^"(.*)"$/, "$1"))
      .filter(Boolean),
    tablespaces: facts.tablespaces,
  };
}

async function asking<T>(container: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isRefusal(error) || !error.code.startsWith("SERVER_")) throw error;
    throw unreachable(container, error.details.found, error);
  }
}

function unreachable(container: string, why: string, cause?: unknown): Refusal {
  return new Refusal({
    code: "TAKEOVER_UNREACHABLE",
    found: `the PostgreSQL server in ${container} cannot be looked at as its superuser (POSTGRES_USER and POSTGRES_PASSWORD of the container): ${why}`,
    untouched: "Nothing was stopped.",
    next: `Start it (docker start ${container}), or give the role the password that the container's environment names:  docker exec -it ${container} psql -U postgres -c '\\password'`,
    cause,
  });
}

/** Folder of the data in the container. */
export function dataFolderOf({ environment }: Pick<ForeignContainer, "environment">): string {
  return environment.get("PGDATA") ?? usualFolder;
}
