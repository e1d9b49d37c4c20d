import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { sqlState } from "./errors.ts";
import { closeRoles } from "./fence.ts";
import { identifier, inTransaction, rowsOf } from "./query.ts";

const findingSchema = z.object({
  login: z.boolean(),
  superuser: z.boolean(),
  sessions: z.coerce.number(),
  owned: z.coerce.number(),
  granted: z.coerce.number(),
  members: z.array(z.string()),
});

/**
 * Removes a role that an ended run created and the engine does not know of, so that the engine can create it.
 * Call it only for a name of our pattern that the engine is about to create. A role that owns or was granted anything,
 * is open and connected, has members or is a superuser is somebody's: Refusal `ROLE_TAKEN`.
 * @returns whether there was one.
 */
export async function removeOrphanRole(
  server: Server,
  role: string,
  options: ConnectionOptions = {},
): Promise<boolean> {
  await endSessionsOfRetired(server, role, options);
  return withClient(
    server,
    "postgres",
    (client) =>
      inTransaction(client, async () => {
        const [finding] = await rowsOf(client, findingSchema, orphanSelect, [role]);
        if (finding === undefined) return false;
        const uses = usesOf(finding);
        if (uses.length > 0) throw taken(role, uses);
        try {
          await client.query(`DROP ROLE ${identifier(role)}`);
        } catch (error) {
          // Something came to depend on it since: PostgreSQL's own look is the last word.
          if (sqlState(error) === "2BP01")
            throw taken(role, [error instanceof Error ? error.message : "it is used"]);
          throw error;
        }
        return true;
      }),
    options,
  );
}

/** A role that is closed belongs to a release that left; its container may have been kept from leaving by a kill. */
async function endSessionsOfRetired(server: Server, role: string, options: ConnectionOptions): Promise<void> {
  const finding = await withClient(
    server,
    "postgres",
    async (client) => (await rowsOf(client, findingSchema, orphanSelect, [role]))[0],
    options,
  );
  if (finding !== undefined && !finding.login && finding.sessions > 0)
    await closeRoles(server, [role], options);
}

/** pg_shdepend covers all databases of the server: `o` owner, everything else rights, policies and default rights. */
const orphanSelect = `
  select r.rolcanlogin as login,
         r.rolsuper as superuser,
         (select count(*) from pg_stat_activity where usesysid = r.oid) as sessions,
         (select count(*) from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = r.oid and deptype = 'o') as owned,
         (select count(*) from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = r.oid and deptype <> 'o') as granted,
         array(select pg_get_userbyid(member)::text from pg_auth_members
                where roleid = r.oid and member <> (select oid from pg_roles where rolname = current_user)) as members
    from pg_roles r where r.rolname = $1`;

function usesOf({ superuser, sessions, owned, granted, members }: z.output<typeof findingSchema>): string[] {
  return [
    ...(superuser ? ["it is a superuser"] : []),
    ...(sessions > 0 ? [`${sessions} sessions use it`] : []),
    ...(owned > 0 ? [`it owns ${owned} objects`] : []),
    ...(granted > 0 ? [`${granted} rights were granted to it`] : []),
    ...(members.length > 0 ? [`${members.join(", ")} are members of it`] : []),
  ];
}

function taken(role: string, uses: readonly string[]): Refusal {
  return new Refusal({
    code: "ROLE_TAKEN",
    found: `role ${role} exists already and is in use: ${uses.join(", ")}.`,
    untouched: "The role was left as it is.",
    next: `If it is this stack's, import it: pulumi import postgresql:index/role:Role <name> ${role}\nElse choose another name for the database or the release.`,
  });
}
