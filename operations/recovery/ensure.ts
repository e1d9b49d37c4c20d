import type { ClientBase } from "pg";
import { operatorRole, ownerRole } from "../../settings/names.ts";
import { rolePassword, scramVerifier } from "../../settings/secrets.ts";
import type { Settings } from "../../settings/types.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { setPassword } from "../database/passwords.ts";
import { identifier } from "../database/query.ts";
import { readRoles } from "../database/roles.ts";
import type { DesiredRole } from "../plan/desired.ts";

/**
 * Roles, passwords and databases of the stack that are newer than the point recovered to. The engine's state says that they
 * exist, so `pulumi up` would neither make them nor notice that they are gone. Releases stay closed: the schema effect opens them.
 */
export async function ensureObjects(
  server: Server,
  settings: Settings,
  roles: readonly DesiredRole[],
): Promise<string[]> {
  return withClient(server, "postgres", async (client) => {
    const owners = [...settings.databases.keys()].map((name) => ownerRole(name));
    const made = await makeRoles(client, [...owners, operatorRole, ...roles.map(({ role }) => role)]);
    for (const owner of owners)
      await client.query(`grant ${identifier(owner)} to ${identifier(operatorRole)}`);
    await client.query(`grant pg_monitor to ${identifier(operatorRole)}`);
    await password(client, settings, operatorRole);
    await password(client, settings, "postgres");
    for (const { role, database } of roles) {
      const owner = identifier(ownerRole(database));
      await client.query(`grant ${owner} to ${identifier(role)}`);
      await client.query(`alter role ${identifier(role)} set role = ${owner}`);
      await password(client, settings, role);
      await client.query(`alter role ${identifier(role)} nologin`);
    }
    const { rows } = await client.query<{ datname: string }>("select datname from pg_database");
    const there = new Set(rows.map(({ datname }) => datname));
    const missing = [...settings.databases.keys()].filter((name) => !there.has(name));
    for (const name of missing) {
      await client.query(
        `create database ${identifier(name)} owner ${identifier(ownerRole(name))} encoding 'UTF8' template template0`,
      );
    }
    return [...made, ...missing];
  });
}

async function makeRoles(client: ClientBase, roles: readonly string[]): Promise<string[]> {
  const there = await readRoles(client, roles);
  const missing = [...new Set(roles)].filter((role) => !there.has(role));
  for (const role of missing) await client.query(`create role ${identifier(role)} nologin`);
  return missing;
}

async function password(
  client: ClientBase,
  { secrets, project, stack }: Settings,
  role: string,
): Promise<void> {
  const salt = role === "postgres" ? `${project}/${stack}` : role;
  await setPassword(client, role, scramVerifier(rolePassword(secrets, role), salt));
}
