import { step } from "../errors.ts";
import type { Properties, ResourceType, Server, Session } from "../model.ts";
import { assertConsistent, grantStatement, liesInSchema, revokeStatement } from "../sql/grant.ts";
import { grantedColumns, grantedOn, majorVersion, roleOid } from "../sql/granted.ts";
import { asMemberOf } from "../sql/membership.ts";
import { areAsWanted, assertAllowed } from "../sql/privileges.ts";
import { text, texts } from "../values.ts";
import { placeExists } from "./place.ts";

/** `postgresql:index/grant:Grant`. */
export const grant: ResourceType = {
  token: "postgresql:index/grant:Grant",
  deleteBeforeReplace: true,
  properties: {
    columns: { kind: "set", replace: true },
    database: { kind: "string", required: true, replace: true },
    objectType: {
      kind: "string",
      required: true,
      replace: true,
      oneOf: [
        "database",
        "function",
        "procedure",
        "routine",
        "schema",
        "sequence",
        "table",
        "foreign_data_wrapper",
        "foreign_server",
        "column",
      ],
    },
    objects: { kind: "set", replace: true },
    privileges: { kind: "set", required: true },
    role: { kind: "string", required: true, replace: true },
    schema: { kind: "string", replace: true },
    withGrantOption: { kind: "boolean", default: false, replace: true },
  },

  create: (server, planned) => apply(server, planned, planned),
  update: (server, _id, olds, planned) => apply(server, olds, planned),

  async read(server, _id, state) {
    if (!(await placeExists(server, state, liesInSchema(text(state, "objectType"))))) return undefined;
    const found = await server.look(text(state, "database"), (session) => readPrivileges(session, state));
    return { id: grantId(state), properties: found };
  },

  async delete(server, _id, state) {
    await server.change(text(state, "database"), async (session) =>
      asMemberOf(session, await owners(session, state), () => revoke(session, state)),
    );
  },
};

/** Takes away what was granted and grants what is wanted, in one transaction: nobody sees the moment between. */
async function apply(server: Server, olds: Properties, planned: Properties) {
  assertConsistent(planned);
  const database = text(planned, "database");
  const properties = await server.change(database, async (session) => {
    assertAllowed(texts(planned, "privileges"), text(planned, "objectType"), await majorVersion(session));
    await asMemberOf(session, await owners(session, planned), async () => {
      await revoke(session, olds);
      const sql = grantStatement(planned);
      if (sql !== undefined) await session.query(sql);
    });
    return readPrivileges(session, planned);
  });
  return { id: grantId(planned), properties };
}

async function revoke(session: Session, state: Properties): Promise<void> {
  const sql = revokeStatement(state);
  if (sql !== undefined) await step("could not execute revoke query", () => session.query(sql));
}

/** Nothing when all is as wanted, else the privileges of the first object that differs. */
async function readPrivileges(session: Session, state: Properties): Promise<Properties> {
  const wanted = texts(state, "privileges");
  if (text(state, "objectType") === "column") {
    const columns = await grantedColumns(session, state);
    return columns.length === texts(state, "columns").length ? {} : { columns };
  }
  const grantee = await roleOid(session, text(state, "role"));
  if (grantee === undefined) throw new Error(`could not find oid for role ${text(state, "role")}`);
  const major = await majorVersion(session);
  const objects = texts(state, "objects");
  for (const { object, privileges } of await grantedOn(session, state, grantee)) {
    const named =
      objects.length === 0 || objects.some((one) => one === object || one.startsWith(`${object}(`));
    if (named && !areAsWanted(privileges, wanted, text(state, "objectType"), major)) return { privileges };
  }
  return {};
}

/** Owners of the schema and of the tables in it; the connected user must be one of them unless it is a superuser. */
async function owners(session: Session, state: Properties): Promise<readonly string[]> {
  const objectType = text(state, "objectType");
  if (!liesInSchema(objectType)) return [];
  const rows = await session.query(
    `SELECT CASE WHEN owner = 'pg_database_owner' THEN
         (SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()) ELSE owner END AS owner
       FROM (SELECT pg_get_userbyid(nspowner)::text AS owner FROM pg_namespace WHERE nspname = $1
             UNION SELECT tableowner::text FROM pg_tables WHERE schemaname = $1 AND $2) AS o`,
    [text(state, "schema"), objectType !== "schema"],
  );
  return rows.map((row) => String(row["owner"]));
}

function grantId(state: Properties): string {
  const objectType = text(state, "objectType");
  return [
    text(state, "role"),
    text(state, "database"),
    ...(liesInSchema(objectType) ? [text(state, "schema")] : []),
    objectType,
    ...texts(state, "objects"),
    ...texts(state, "columns"),
  ].join("_");
}
