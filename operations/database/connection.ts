import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { asServerError, isUnreachable, isServerFull, sqlState } from "./errors.ts";

/** Where a PostgreSQL server is and as whom to talk to it. Printing it would print the password: never log it. */
export interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** As libpq's `sslmode`. Certificate authorities are Node's own plus `NODE_EXTRA_CA_CERTS`. */
  readonly ssl: "disable" | "require" | "verify-ca" | "verify-full";
}

export interface ConnectionOptions {
  /** Shown in `pg_stat_activity`; at most 63 bytes count. Default `rollback`. */
  readonly applicationName?: string;
  /** Milliseconds until the attempt to connect is given up. Default 5000. */
  readonly connectTimeoutMs?: number;
}

/** How progress is told to the person at the keyboard: one line, no line break. */
export type Say = (line: string) => void;

/**
 * Connects, lets `work` use the connection and always closes it, also after an error.
 * A connection that cannot be had is a Refusal: `SERVER_UNREACHABLE` (also while the server starts or stops),
 * `SERVER_AUTH`, `SERVER_TLS` or `SERVER_FULL`. Errors of the work itself pass through unchanged.
 */
export async function withClient<T>(
  server: Server,
  database: string,
  work: (client: pg.Client) => Promise<T>,
  options: ConnectionOptions = {},
): Promise<T> {
  const client = await connect(server, database, options);
  try {
    return await work(client);
  } finally {
    await close(client);
  }
}

/** An open connection that the caller must hand to `close`; for what outlives one function, such as a lock. */
export async function connect(
  server: Server,
  database: string,
  options: ConnectionOptions = {},
): Promise<pg.Client> {
  const config = clientConfig(server, database, options);
  try {
    return await openAsTold(config, ["", startupOptions(lineSettings)]);
  } catch (error) {
    throw asServerError(error, { host: server.host, port: server.port, user: server.user, database });
  }
}

async function open(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  // Without a listener a connection that breaks while idle would end the whole process; the next query reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

/** With the settings of `config`, or where the server takes them not, with the last of `less` that it takes. */
async function openAsTold(config: pg.ClientConfig, less: readonly string[]): Promise<pg.Client> {
  try {
    return await open(config);
  } catch (error) {
    const options = less.at(-1);
    if (options === undefined || !startupRefused.has(sqlState(error) ?? "")) throw error;
    return openAsTold({ ...config, options }, less.slice(0, -1));
  }
}

/** Poolers take no `options`, an older server or one that is not on Linux not all of ours. */
const startupRefused = new Set(["08P01", "42704", "22023"]);

/**
 * A line that dies without a word is given up after 15 s by either end: by this one as Linux has it with an initial delay of 5 s
 * (ten probes, one a second), by the server, which else keeps the locks of a program that is gone for two hours, as told here.
 */
const lineSettings = {
  tcp_keepalives_idle: 5,
  tcp_keepalives_interval: 2,
  tcp_keepalives_count: 5,
  tcp_user_timeout: 15_000,
};

/**
 * A statement that runs on would keep its locks until it ends, also for a program that was killed: the server looks for its
 * client meanwhile. Milliseconds; since PostgreSQL 14, on Linux only.
 */
const clientChecked = { client_connection_check_interval: 2000 };

function startupOptions(settings: Readonly<Record<string, number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");
}

/** Ends a connection, whatever state it is in; a server that does not answer the farewell is not waited for. */
export async function close(client: pg.Client): Promise<void> {
  // What goes wrong here concerns a connection that nobody uses any more.
  const farewell = client.end().catch(() => undefined);
  await Promise.race([farewell, sleep(1000, undefined, { ref: false })]);
}

/** What the `pg` library needs; pure, so that the TLS modes can be tested without a server. */
export function clientConfig(
  server: Server,
  database: string,
  { applicationName = "rollback", connectTimeoutMs = 5000 }: ConnectionOptions,
): pg.ClientConfig {
  return {
    host: server.host,
    port: server.port,
    user: server.user,
    password: server.password,
    database,
    ssl: tls(server),
    application_name: applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    options: startupOptions({ ...lineSettings, ...clientChecked }),
  };
}

function tls({ ssl }: Server): pg.ClientConfig["ssl"] {
  switch (ssl) {
    case "disable":
      return false;
    case "require":
      return { rejectUnauthorized: false };
    case "verify-ca":
      return { rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case "verify-full":
      return { rejectUnauthorized: true };
  }
}

export interface WaitOptions {
  /** Default `postgres`. */
  readonly database?: string;
  /** Asked between two attempts, about twice a second; throws when waiting is of no use any more. */
  readonly hopeless?: () => Promise<void>;
}

/**
 * Waits until the server takes connections, asking ever less often (50 to 200 ms: somebody may be waiting for it), and says each new reason once.
 * Throws the last Refusal when `deadlineMs` milliseconds have passed; a wrong password is thrown at once.
 */
export async function waitUntilReady(
  server: Server,
  deadlineMs: number,
  say: Say,
  { database = "postgres", hopeless }: WaitOptions = {},
): Promise<void> {
  const end = performance.now() + deadlineMs;
  let said = "";
  let asked = -Infinity;
  for (let pause = 50; ; pause = Math.min(pause * 2, 200)) {
    try {
      const connectTimeoutMs = Math.max(200, Math.min(5000, end - performance.now()));
      await withClient(server, database, (client) => client.query("select 1"), { connectTimeoutMs });
      return;
    } catch (error) {
      if (!isUnreachable(error) && !isServerFull(error)) throw error;
      if (performance.now() + pause > end) throw error;
      if (hopeless !== undefined && performance.now() - asked > 500) {
        await hopeless();
        asked = performance.now();
      }
      const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "";
      if (reason !== said) say(`waiting for PostgreSQL: ${reason.replace(/^refused [A-Z_]+: /, "")}`);
      said = reason;
      await sleep(pause);
    }
  }
}
