import { Refusal } from "../../settings/refusal.ts";
import type { Server } from "./connection.ts";

/** What a connection URL names. */
export interface Place {
  readonly server: Server;
  readonly database: string;
}

const modes = ["disable", "require", "verify-ca", "verify-full"] as const;
const loopback = new Set(["localhost", "127.0.0.1", "::1"]);

/**
 * Reads a connection URL as libpq does (https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING), as far as
 * `sslmode`, and `host` for a socket's folder, go. Without `sslmode`: `disable` on loopback and sockets, else `require`.
 * `from` names the environment variable in messages, which never show its value. Throws Refusal `DATABASE_URL`.
 */
export function placeOf(text: string | undefined, from: string): Place {
  if (text === undefined || text.trim() === "")
    throw urlRefusal(from, `the environment variable ${from} is not set`);
  if (!URL.canParse(text)) throw urlRefusal(from, `the value of ${from} is no URL`);
  const url = new URL(text);
  if (!/^postgres(ql)?:$/.test(url.protocol))
    throw urlRefusal(from, `the value of ${from} begins with ${url.protocol}//`);
  const host = url.searchParams.get("host") ?? decoded(url.hostname.replace(/^\[(.*)\]$/, "$1"), from);
  const database = decoded(url.pathname.slice(1), from);
  const user = decoded(url.username, from);
  if (host === "" || user === "" || database === "")
    throw urlRefusal(from, `the value of ${from} lacks the host, the user or the database`);
  const ssl = url.searchParams.get("sslmode") ?? (isLocal(host) ? "disable" : "require");
  const mode = modes.find((each) => each === ssl);
  if (mode === undefined)
    throw urlRefusal(from, `sslmode ${ssl} in ${from} is not one of ${modes.join(", ")}`);
  const port = url.port === "" ? Number(url.searchParams.get("port") ?? 5432) : Number(url.port);
  return { server: { host, port, user, password: decoded(url.password, from), ssl: mode }, database };
}

function isLocal(host: string): boolean {
  return host.startsWith("/") || loopback.has(host);
}

function decoded(text: string, from: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw urlRefusal(from, `the value of ${from} has a % that does not begin an escape such as %40`);
  }
}

function urlRefusal(from: string, found: string): Refusal {
  return new Refusal({
    code: "DATABASE_URL",
    found: `${found}.`,
    untouched: "Nothing was done.",
    next: `export ${from}='postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full'`,
  });
}
