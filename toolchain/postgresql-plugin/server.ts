import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientConfig } from "pg";
import { inOfficialWords, isInterference, OperationFailed } from "./errors.ts";
import type { Server, Session } from "./model.ts";
import type { ConnectionSettings } from "./settings.ts";

const attempts = 6;

/**
 * The server behind the provider's configuration. Each operation opens its own connection and closes it, so that
 * nothing stands in the way of a DROP DATABASE or a restart. Changes run one after the other: concurrent grants on one
 * object fail with "tuple concurrently updated".
 */
export function connectTo(settings: ConnectionSettings): Server {
  const place = limiter(settings.maxConnections === 0 ? Infinity : settings.maxConnections);
  const turn = limiter(1);
  const open = async <T>(database: string | null, work: (session: Session) => Promise<T>): Promise<T> =>
    place(() => withConnection(settings, database ?? settings.database, work));
  return {
    user: settings.databaseUsername,
    database: settings.database,
    superuser: settings.superuser,
    look: open,
    change: (database, work) =>
      turn(() => againWhenInterfered(() => open(database, (session) => inTransaction(session, work)))),
    changeAlone: (work) => turn(() => open(null, work)),
  };
}

async function withConnection<T>(
  settings: ConnectionSettings,
  database: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  // Not before it is needed: an update without changes never connects.
  const { default: pg } = await import("pg");
  const client = new pg.Client(await clientConfig(settings, database));
  // A connection that breaks while idle; the statement that follows reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw new OperationFailed(
      `error connecting to PostgreSQL server ${settings.host} (scheme: postgres): ${inOfficialWords(error)}`,
      { cause: error },
    );
  }
  try {
    return await work(sessionOn(client));
  } finally {
    await client.end().catch(() => undefined);
  }
}

function sessionOn(client: Client): Session {
  return {
    query: async (sql, values) =>
      (await client.query<Record<string, unknown>>(sql, values === undefined ? undefined : [...values])).rows,
  };
}

async function clientConfig(settings: ConnectionSettings, database: string): Promise<ClientConfig> {
  const { host, port, username, password, connectTimeout } = settings;
  return {
    host,
    port,
    database,
    user: username,
    ...(password === undefined ? {} : { password }),
    ssl: await tls(settings),
    connectionTimeoutMillis: connectTimeout,
    application_name: "pulumi-resource-postgresql",
  };
}

async function tls({ sslmode, sslrootcert }: ConnectionSettings): Promise<NonNullable<ClientConfig["ssl"]>> {
  if (sslmode === "disable") return false;
  const ca = sslrootcert === undefined ? {} : { ca: await readFile(sslrootcert, "utf8") };
  if (sslmode === "require") return { ...ca, rejectUnauthorized: false };
  return sslmode === "verify-ca" ? { ...ca, checkServerIdentity: () => undefined } : ca;
}

async function inTransaction<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
  await session.query("BEGIN");
  const result = await work(session);
  await session.query("COMMIT");
  // After an error the connection is closed, which rolls back.
  return result;
}

async function againWhenInterfered<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attempts || !isInterference(error)) throw error;
      await sleep(attempt * 50 * (0.5 + Math.random()));
    }
  }
}

/** Lets at most `most` pieces of work run at once, the others in the order they came. */
function limiter(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
