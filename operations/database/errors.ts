import pg from "pg";
import { isRefusal, Refusal } from "../../settings/refusal.ts";

/** What an error message may say about a connection. */
export interface Whereabouts {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** Node's words for "nobody there". https://nodejs.org/api/errors.html#common-system-errors */
const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
]);

/** A server that starts, stops or was just told to stop (SQLSTATE 57P01–57P03), or a broken line (class 08). */
const awayStates = /^(57P0[1-3]|08...)$/;
/** A server that lets nobody in because files of it are damaged or missing. */
const brokenStates = /^(58|XX)...$/;
const authStates = /^28...$/;
const tlsCodes = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;
/** What `pg` says without any code when the line breaks or the time is up. */
const brokenLine = /^(Connection terminated|timeout expired|Client has encountered a connection error)/;

/** SQLSTATE of a PostgreSQL error, else undefined. https://www.postgresql.org/docs/17/errcodes-appendix.html */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** Whether the server could not be talked to at all: not there (yet), starting, stopping, or the line broke. */
export function isUnreachable(error: unknown): boolean {
  if (isRefusal(error)) return error.code === "SERVER_UNREACHABLE";
  if (error instanceof AggregateError) return error.errors.every(isUnreachable);
  const state = sqlState(error);
  if (state !== undefined) return awayStates.test(state);
  return error instanceof Error && (networkCodes.has(codeOf(error)) || brokenLine.test(error.message));
}

/** Whether all connections of the server are taken. */
export function isServerFull(error: unknown): boolean {
  return isRefusal(error, "SERVER_FULL");
}

/** Whether the database, schema or table that was asked for does not exist. */
export function isAbsent(error: unknown): boolean {
  return ["3D000", "3F000", "42P01"].includes(sqlState(error) ?? "");
}

/** A failed connection as a Refusal; anything that is not about connecting is given back as it is. Never tells the password. */
export function asServerError(error: unknown, { host, port, user, database }: Whereabouts): unknown {
  const server = `PostgreSQL at ${host}:${String(port)}`;
  const words = wordsOf(error);
  const refusal = (code: string, found: string, next: string): Refusal =>
    new Refusal({ code, found, untouched: "Nothing was changed over this connection.", next, cause: error });

  const state = sqlState(error);
  if (state === "53300") {
    return refusal("SERVER_FULL", `${server}: ${words}.`, "Free connections, or raise max_connections.");
  }
  if ((state !== undefined && authStates.test(state)) || /^SASL:/.test(words)) {
    return refusal(
      "SERVER_AUTH",
      `${server} does not let role ${user} into database ${database}: ${words}.`,
      "Compare the role's password with `rollback:secrets`, and pg_hba.conf with the way you connect.",
    );
  }
  if (tlsCodes.test(codeOf(error)) || /does not support SSL|SSL connection/.test(words)) {
    return refusal(
      "SERVER_TLS",
      `no encrypted connection with ${server}: ${words}.`,
      "Change `sslmode` of the cluster, or name the authority's certificate in NODE_EXTRA_CA_CERTS.",
    );
  }
  if (isUnreachable(error) || (state !== undefined && brokenStates.test(state))) {
    return refusal(
      "SERVER_UNREACHABLE",
      `${server} cannot be reached: ${words}.`,
      "Check that the server runs and that host and port are right; then try again.",
    );
  }
  return error;
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") {
    return [...new Set(error.errors.map(wordsOf))].join("; ");
  }
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}
