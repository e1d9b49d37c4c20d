import { OperationFailed, step } from "../errors.ts";
import type { Session } from "../model.ts";
import { identifier } from "./quote.ts";

/** `GRANT` of one role to another. */
export function grantMembership(role: string, member: string, withAdminOption = false): string {
  return `GRANT ${identifier(role)} TO ${identifier(member)}${withAdminOption ? " WITH ADMIN OPTION" : ""}`;
}

/** `REVOKE` of one role from another. */
export function revokeMembership(role: string, member: string): string {
  return `REVOKE ${identifier(role)} FROM ${identifier(member)}`;
}

/** First column of the first row, when it is a text. */
export async function firstText(
  session: Session,
  sql: string,
  values: readonly unknown[],
): Promise<string | undefined> {
  const [row] = await session.query(sql, values);
  const value = row === undefined ? undefined : Object.values(row)[0];
  return typeof value === "string" ? value : undefined;
}

export async function exists(session: Session, sql: string, values: readonly unknown[]): Promise<boolean> {
  return (await session.query(sql, values)).length > 0;
}

export function roleExists(session: Session, role: string): Promise<boolean> {
  return exists(session, "SELECT 1 FROM pg_roles WHERE rolname = $1", [role]);
}

export function databaseExists(session: Session, database: string): Promise<boolean> {
  return exists(session, "SELECT 1 FROM pg_database WHERE datname = $1", [database]);
}

/**
 * Runs `work` while the connected user is a member of the given roles: one that is no superuser may otherwise neither
 * hand over objects nor change privileges of what others own. Memberships are put back as they were.
 */
export async function asMemberOf<T>(
  session: Session,
  roles: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const [me] = await session.query(
    "SELECT current_user AS name, rolsuper FROM pg_roles WHERE rolname = current_user",
  );
  const name = me?.["name"];
  if (typeof name !== "string") throw new OperationFailed("the connected user has no role");
  if (me?.["rolsuper"] === true) return work();

  const granted: string[] = [];
  const suspended: string[] = [];
  for (const role of new Set(roles)) {
    if (role === name || (await isSuperuser(session, role))) continue;
    if (await isMember(session, name, role)) {
      // PostgreSQL has no circles of membership.
      await session.query(revokeMembership(name, role));
      suspended.push(role);
    }
    if (await isMember(session, role, name)) continue;
    await step(`error granting role ${role} to ${name}`, () => session.query(grantMembership(role, name)));
    granted.push(role);
  }
  const putBack = async () => {
    for (const role of granted) {
      if (await roleExists(session, role)) await session.query(revokeMembership(role, name));
    }
    for (const role of suspended) {
      if (await roleExists(session, role)) await session.query(grantMembership(name, role));
    }
  };
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // Inside a transaction this fails as well, and the rollback does it; the first error is the one to show.
    await putBack().catch(() => undefined);
    throw error;
  }
  await putBack();
  return result;
}

/** PostgreSQL 16 has memberships without the right to SET ROLE; those do not help. */
function isMember(session: Session, role: string, member: string): Promise<boolean> {
  return exists(
    session,
    `SELECT 1 FROM pg_auth_members m WHERE pg_get_userbyid(roleid) = $1 AND pg_get_userbyid(member) = $2
       AND coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)`,
    [role, member],
  );
}

function isSuperuser(session: Session, role: string): Promise<boolean> {
  return exists(session, "SELECT 1 FROM pg_roles WHERE rolname = $1 AND rolsuper", [role]);
}
