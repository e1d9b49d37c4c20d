import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { sqlState } from "./errors.ts";
import { identifier, inTransaction, rowsOf } from "./query.ts";
import { readRoles, refuseSuperusers } from "./roles.ts";

export interface FenceOptions extends ConnectionOptions {
  /** Milliseconds until sessions that do not end are a Refusal. Default 10 000. */
  readonly deadlineMs?: number;
  /** Milliseconds without any session that must pass. Default 150. */
  readonly settleMs?: number;
  /** Database to connect to. Default `postgres`. */
  readonly database?: string;
}

export interface FenceResult {
  /** Roles that exist and are closed now. */
  readonly closed: readonly string[];
  /** Those of them that could still log in before. */
  readonly changed: readonly string[];
  /** Roles asked for that do not exist. */
  readonly missing: readonly string[];
  /** Number of sessions that were ended. */
  readonly ended: number;
  /** Transactions that these roles left prepared: nobody is connected, but their locks stay until they are finished. */
  readonly prepared: readonly { readonly gid: string; readonly owner: string; readonly database: string }[];
}

const sessionSchema = z.object({
  pid: z.number(),
  role: z.string(),
  application: z.string().nullable(),
  state: z.string().nullable(),
  asked: z.boolean(),
});
type Session = z.output<typeof sessionSchema>;

/**
 * Closes the roles: nobody can log in as one of them any more, and none of their sessions is left when this returns,
 * wherever they had SET ROLE to. Roles that do not exist are skipped; repeating it finds nothing to do.
 *
 * A login that is just past its check of LOGIN is not listed as a session yet, so one empty look is not enough:
 * nothing must have been seen for `settleMs`. What must be certain asks `sessionsOf` again inside its own transaction.
 *
 * Refuses `APP_IS_SUPERUSER` (nothing changed), `FENCE_NOT_ALLOWED` (nothing changed) and
 * `SESSIONS_REMAIN` (roles closed, sessions listed; reopen with `openRoles` to abandon).
 */
export async function closeRoles(
  server: Server,
  roles: readonly string[],
  options: FenceOptions = {},
): Promise<FenceResult> {
  if (roles.length === 0) return { closed: [], changed: [], missing: [], ended: 0, prepared: [] };
  return withClient(
    server,
    options.database ?? "postgres",
    async (client) => {
      const states = await readRoles(client, roles);
      refuseSuperusers(states.values());
      const closed = [...states.keys()];
      const changed = [...states.values()].filter((role) => role.login).map((role) => role.name);
      await setLogin(client, changed, "NOLOGIN");
      const ended = await endSessions(client, closed, options);
      return {
        closed,
        changed,
        missing: roles.filter((role) => !states.has(role)),
        ended,
        prepared: await preparedBy(client, closed),
      };
    },
    options,
  );
}

/**
 * Lets nobody log in as one of the roles any more, but leaves sessions in peace: for releases that left, whose containers
 * are about to stop and may have something to write until then. They are kept, as only the engine knows whether its
 * state still lists them; `removeOrphanRole` makes room when one comes back. Roles that do not exist are skipped.
 * @returns those that could log in before.
 */
export async function retireRoles(
  server: Server,
  roles: readonly string[],
  options: ConnectionOptions = {},
): Promise<readonly string[]> {
  if (roles.length === 0) return [];
  return withClient(
    server,
    "postgres",
    async (client) => {
      const states = await readRoles(client, roles);
      const open = [...states.values()].filter(({ login }) => login).map(({ name }) => name);
      await setLogin(client, open, "NOLOGIN");
      return open;
    },
    options,
  );
}

/** Lets the roles log in again. Roles that do not exist are skipped and named in `missing`; repeating it does nothing. */
export async function openRoles(
  server: Server,
  roles: readonly string[],
  options: FenceOptions = {},
): Promise<{ readonly changed: readonly string[]; readonly missing: readonly string[] }> {
  if (roles.length === 0) return { changed: [], missing: [] };
  return withClient(
    server,
    options.database ?? "postgres",
    async (client) => {
      const states = await readRoles(client, roles);
      refuseSuperusers(states.values());
      const changed = [...states.values()].filter((role) => !role.login).map((role) => role.name);
      await setLogin(client, changed, "LOGIN");
      return { changed, missing: roles.filter((role) => !states.has(role)) };
    },
    options,
  );
}

/** The sessions of these roles at this moment, by the role that logged in. */
export async function sessionsOf(
  client: ClientBase,
  roles: readonly string[],
): Promise<readonly { readonly pid: number; readonly role: string }[]> {
  return rowsOf(client, z.object({ pid: z.number(), role: z.string() }), sessionsSelect("false"), [roles]);
}

/** One `ALTER ROLE` per role; pure. */
export function loginStatements(roles: readonly string[], login: "LOGIN" | "NOLOGIN"): string[] {
  return roles.map((role) => `ALTER ROLE ${identifier(role)} ${login}`);
}

async function setLogin(
  client: ClientBase,
  roles: readonly string[],
  login: "LOGIN" | "NOLOGIN",
): Promise<void> {
  if (roles.length === 0) return;
  for (let attempt = 1; ; attempt++) {
    try {
      // All or none, so that a fence that is not allowed leaves every role as it was.
      await inTransaction(client, async () => {
        for (const statement of loginStatements(roles, login)) await client.query(statement);
      });
      return;
    } catch (error) {
      if (sqlState(error) === "42501") throw notAllowed(error, roles);
      // "tuple concurrently updated" has no code of its own: somebody else changed the same role at the same moment.
      const concurrent = sqlState(error) === "XX000" || sqlState(error) === "40001";
      if (!concurrent || attempt === 5) throw error;
      await sleep(50 * attempt);
    }
  }
}

async function endSessions(
  client: ClientBase,
  roles: readonly string[],
  { deadlineMs = 10_000, settleMs = 150 }: FenceOptions,
): Promise<number> {
  const seen = new Set<number>();
  const end = performance.now() + deadlineMs;
  for (let quietSince = performance.now(); ;) {
    const sessions = await terminate(client, roles);
    sessions.forEach(({ pid }) => seen.add(pid));
    if (sessions.length > 0) quietSince = performance.now();
    else if (performance.now() - quietSince >= settleMs) return seen.size;
    if (sessions.length > 0 && performance.now() > end) throw sessionsRemain(sessions);
    await sleep(25);
  }
}

async function terminate(client: ClientBase, roles: readonly string[]): Promise<Session[]> {
  try {
    return await rowsOf(client, sessionSchema, sessionsSelect("pg_terminate_backend(a.pid)"), [roles]);
  } catch (error) {
    throw sqlState(error) === "42501" ? notAllowed(error, roles) : error;
  }
}

function sessionsSelect(asked: string): string {
  return `select a.pid, a.usename as role, a.application_name as application, a.state, ${asked} as asked
            from pg_stat_activity a
           where a.usename = any($1) and a.pid <> pg_backend_pid()`;
}

async function preparedBy(client: ClientBase, roles: readonly string[]): Promise<FenceResult["prepared"]> {
  return rowsOf(
    client,
    z.object({ gid: z.string(), owner: z.string(), database: z.string() }),
    "select gid, owner, database from pg_prepared_xacts where owner = any($1) order by prepared",
    [roles],
  );
}

function sessionsRemain(sessions: readonly Session[]): Refusal {
  const list = sessions.map(
    ({ pid, role, application, state }) => `${role} (pid ${pid}, ${application ?? "?"}, ${state ?? "?"})`,
  );
  return new Refusal({
    code: "SESSIONS_REMAIN",
    found: `PostgreSQL was told to end these sessions and they are still there: ${list.join("; ")}.`,
    untouched: "The roles are closed; no schema was changed.",
    next: "Find what keeps them (often a hanging disk or a function that catches everything), then run `pulumi up` again.",
  });
}

function notAllowed(error: unknown, roles: readonly string[]): Refusal {
  return new Refusal({
    code: "FENCE_NOT_ALLOWED",
    found: `the fence around ${roles.join(", ")} needs more rights: ${error instanceof Error ? error.message : String(error)}.`,
    untouched: "No role was closed.",
    next: "Connect as a role with CREATEROLE and ADMIN on these roles, and a member of pg_signal_backend.",
    cause: error,
  });
}
