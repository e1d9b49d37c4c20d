import { step } from "../errors.ts";
import type { Existing, Properties, ResourceType, Server } from "../model.ts";
import { grantMembership, revokeMembership } from "../sql/membership.ts";
import { flag, text } from "../values.ts";

/** `postgresql:index/grantRole:GrantRole`. */
export const grantRole: ResourceType = {
  token: "postgresql:index/grantRole:GrantRole",
  properties: {
    grantRole: { kind: "string", required: true, replace: true },
    role: { kind: "string", required: true, replace: true },
    withAdminOption: { kind: "boolean", default: false, replace: true },
  },

  async create(server, planned) {
    const { granted, member } = membership(planned);
    await server.change(null, async (session) => {
      // So that the admin option is exactly what is asked for.
      await step("could not execute revoke query", () => session.query(revokeMembership(granted, member)));
      await step("could not execute grant query", () =>
        session.query(grantMembership(granted, member, flag(planned, "withAdminOption"))),
      );
    });
    const found = await readMembership(server, planned);
    if (found === undefined) throw new Error(`${member} is no member of ${granted} right after the grant`);
    return found;
  },

  read: (server, _id, state) => readMembership(server, state),

  update: (_server, id, olds) => Promise.resolve({ id, properties: olds }),

  async delete(server, _id, state) {
    const { granted, member } = membership(state);
    await server.change(null, (session) =>
      step("could not execute revoke query", () => session.query(revokeMembership(granted, member))),
    );
  },
};

function membership(from: Properties): { readonly granted: string; readonly member: string } {
  return { granted: text(from, "grantRole"), member: text(from, "role") };
}

async function readMembership(server: Server, state: Properties): Promise<Existing | undefined> {
  const { granted, member } = membership(state);
  const [row] = await server.look(null, (session) =>
    step("error reading grant role", () =>
      session.query(
        // A membership can be there several times, by different grantors.
        `SELECT bool_or(admin_option) AS admin FROM pg_auth_members
         WHERE pg_get_userbyid(member) = $1 AND pg_get_userbyid(roleid) = $2 HAVING count(*) > 0`,
        [member, granted],
      ),
    ),
  );
  if (row === undefined) return undefined;
  const withAdminOption = row["admin"] === true;
  return {
    id: `${member}_${granted}_${withAdminOption}`,
    properties: { grantRole: granted, role: member, withAdminOption },
  };
}
