import { OperationFailed, step } from "../errors.ts";
import type { Existing, Properties, ResourceType, Server, Session } from "../model.ts";
import { majorVersion, roleOid } from "../sql/granted.ts";
import { asMemberOf } from "../sql/membership.ts";
import { areAsWanted, assertAllowed } from "../sql/privileges.ts";
import { identifier } from "../sql/quote.ts";
import { asSet, flag, text, texts } from "../values.ts";
import { placeExists } from "./place.ts";

/** `defaclobjtype` of pg_default_acl. */
const kinds: Readonly<Record<string, string>> = {
  table: "r",
  sequence: "S",
  function: "f",
  routine: "f",
  type: "T",
  schema: "n",
};

/** `postgresql:index/defaultPrivileges:DefaultPrivileges`. */
export const defaultPrivileges: ResourceType = {
  token: "postgresql:index/defaultPrivileges:DefaultPrivileges",
  properties: {
    database: { kind: "string", required: true, replace: true },
    objectType: { kind: "string", required: true, replace: true, oneOf: Object.keys(kinds) },
    owner: { kind: "string", required: true, replace: true },
    privileges: { kind: "set", required: true },
    role: { kind: "string", required: true, replace: true },
    schema: { kind: "string", replace: true },
    withGrantOption: { kind: "boolean", default: false, replace: true },
  },

  create: apply,
  update: (server, _id, _olds, planned) => apply(server, planned),

  async read(server, _id, state) {
    if (!(await placeExists(server, state, true))) return undefined;
    return server.look(text(state, "database"), (session) => readPrivileges(session, state));
  },

  async delete(server, _id, state) {
    await server.change(text(state, "database"), (session) =>
      asMemberOf(session, [text(state, "owner")], () => revoke(session, state)),
    );
  },
};

async function apply(server: Server, planned: Properties): Promise<Existing> {
  const objectType = text(planned, "objectType");
  if (text(planned, "schema") !== "" && objectType === "schema") {
    throw new OperationFailed("cannot specify `schema` when `object_type` is `schema`");
  }
  if (flag(planned, "withGrantOption") && text(planned, "role").toLowerCase() === "public") {
    throw new OperationFailed("with_grant_option cannot be true for role 'public'");
  }
  const privileges = texts(planned, "privileges");
  const found = await server.change(text(planned, "database"), async (session) => {
    assertAllowed(privileges, objectType, await majorVersion(session));
    await asMemberOf(session, [text(planned, "owner")], async () => {
      await revoke(session, planned);
      if (privileges.length === 0) return;
      await step("could not alter default privileges", () => session.query(grantStatement(planned)));
    });
    return readPrivileges(session, planned);
  });
  return found ?? { id: idOf(planned), properties: { privileges: [] } };
}

async function revoke(session: Session, state: Properties): Promise<void> {
  await step("could not revoke default privileges", () => session.query(revokeStatement(state)));
}

/** `ALTER DEFAULT PRIVILEGES … GRANT`. Privileges must have been checked. */
export function grantStatement(planned: Properties): string {
  const option = flag(planned, "withGrantOption") ? " WITH GRANT OPTION" : "";
  return `${alterDefaults(planned)} GRANT ${texts(planned, "privileges").join(",")} ON ${objects(planned)} TO ${grantee(planned)}${option}`;
}

/** `ALTER DEFAULT PRIVILEGES … REVOKE ALL`. */
export function revokeStatement(state: Properties): string {
  return `${alterDefaults(state)} REVOKE ALL ON ${objects(state)} FROM ${grantee(state)}`;
}

function alterDefaults(state: Properties): string {
  const schema = text(state, "schema");
  const where = schema === "" ? "" : ` IN SCHEMA ${identifier(schema)}`;
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(text(state, "owner"))}${where}`;
}

function objects(state: Properties): string {
  const objectType = text(state, "objectType");
  if (kinds[objectType] === undefined) throw new OperationFailed(`unknown object type ${objectType}`);
  return `${objectType.toUpperCase()}S`;
}

function grantee(state: Properties): string {
  return identifier(text(state, "role"));
}

/** No privileges at all count as gone, unless none are wanted. */
async function readPrivileges(session: Session, state: Properties): Promise<Existing | undefined> {
  const role = await roleOid(session, text(state, "role"));
  if (role === undefined) throw new Error(`could not find oid for role ${text(state, "role")}`);
  const rows = await step("could not read default privileges", () =>
    session.query(
      `SELECT privilege_type FROM (SELECT defaclnamespace, (aclexplode(defaclacl)).* FROM pg_default_acl
          WHERE defaclobjtype = $2) AS a LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
        WHERE grantee = $1 AND coalesce(nspname, '') = $3 AND pg_get_userbyid(grantor) = $4`,
      [role, kinds[text(state, "objectType")], text(state, "schema"), text(state, "owner")],
    ),
  );
  const wanted = texts(state, "privileges");
  const privileges = asSet(rows.map((row) => String(row["privilege_type"])));
  if (privileges.length === 0 && wanted.length > 0) return undefined;
  const asBefore = areAsWanted(privileges, wanted, text(state, "objectType"), await majorVersion(session));
  return { id: idOf(state), properties: asBefore ? {} : { privileges } };
}

function idOf(state: Properties): string {
  return [
    text(state, "role"),
    text(state, "database"),
    text(state, "schema") || "noschema",
    text(state, "owner"),
    text(state, "objectType"),
  ].join("_");
}
