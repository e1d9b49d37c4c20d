import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { rowsOf } from "./query.ts";

/** A role as the server knows it. */
export interface RoleState {
  readonly name: string;
  readonly login: boolean;
  /** Is a superuser, or a member of a role that is one. */
  readonly superuser: boolean;
  /** Sessions that logged in as this role, whatever they SET ROLE to afterwards. */
  readonly sessions: number;
}

export const roleStateSchema = z.object({
  name: z.string(),
  login: z.boolean(),
  superuser: z.boolean(),
  sessions: z.coerce.number(),
});

/**
 * Selects `RoleState` columns from pg_roles `r`; add a WHERE on `r`. `usesysid` is the role that logged in: SET ROLE leaves it.
 * A superuser is a member of every role but not the reverse: `pg_has_role` with a superuser in front is true for all.
 */
export const roleStateSelect = `
  select r.rolname as name, r.rolcanlogin as login,
         r.rolsuper or exists (
           select from pg_roles s
            where s.rolsuper and s.oid <> r.oid and pg_has_role(r.oid, s.oid, 'MEMBER')) as superuser,
         (select count(*)::int from pg_stat_activity a where a.usesysid = r.oid) as sessions
    from pg_roles r`;

/** The states of those `roles` that exist, by name. */
export async function roleStates(
  server: Server,
  roles: readonly string[],
  options: ConnectionOptions & { readonly database?: string } = {},
): Promise<Map<string, RoleState>> {
  return withClient(server, options.database ?? "postgres", (client) => readRoles(client, roles), options);
}

/** As `roleStates` on a connection that is already there. */
export async function readRoles(
  client: ClientBase,
  roles: readonly string[],
): Promise<Map<string, RoleState>> {
  const found = await rowsOf(client, roleStateSchema, `${roleStateSelect} where r.rolname = any($1)`, [
    roles,
  ]);
  return new Map(found.map((role) => [role.name, role]));
}

/** Refuses (`APP_IS_SUPERUSER`) when one of the roles is a superuser or can become one: NOLOGIN would not fence it for good. */
export function refuseSuperusers(roles: Iterable<RoleState>): void {
  const names = [...roles].filter((role) => role.superuser).map((role) => role.name);
  if (names.length === 0) return;
  throw new Refusal({
    code: "APP_IS_SUPERUSER",
    found: `${names.join(", ")} ${names.length === 1 ? "is a superuser or can become one" : "are superusers or can become one"}: no fence holds such a role.`,
    untouched: "Nothing was stopped and no role was changed.",
    next: names
      .map((name) => `ALTER ROLE "${name}" NOSUPERUSER;  and take it out of superuser roles`)
      .join("\n"),
  });
}
