import type { Properties, Session } from "../model.ts";
import { asSet, text, texts } from "../values.ts";

/** Privileges that the role has on one object, sorted. */
export interface Granted {
  readonly object: string;
  readonly privileges: readonly string[];
}

const single: Readonly<Record<string, readonly [catalog: string, acl: string, name: string]>> = {
  database: ["pg_database", "datacl", "datname"],
  schema: ["pg_namespace", "nspacl", "nspname"],
  foreign_data_wrapper: ["pg_foreign_data_wrapper", "fdwacl", "fdwname"],
  foreign_server: ["pg_foreign_server", "srvacl", "srvname"],
};

/** PostgreSQL's relkind, as far as Grant covers it: ordinary tables and sequences. */
const relationKinds: Readonly<Record<string, string>> = { table: "r", sequence: "S" };

/** Object identifier of the role; `public` has 0. undefined: there is no such role. */
export async function roleOid(session: Session, role: string): Promise<number | undefined> {
  if (role === "public") return 0;
  const [row] = await session.query("SELECT oid::bigint::text AS oid FROM pg_roles WHERE rolname = $1", [
    role,
  ]);
  return row === undefined ? undefined : Number(row["oid"]);
}

/** What the role may do on each object of the grant's type in its schema, or on its one object. Columns are apart. */
export async function grantedOn(
  session: Session,
  grant: Properties,
  grantee: number,
): Promise<readonly Granted[]> {
  const objectType = text(grant, "objectType");
  const source = single[objectType];
  if (source !== undefined) {
    const [catalog, acl, name] = source;
    const object =
      objectType === "database" || objectType === "schema"
        ? text(grant, objectType)
        : (texts(grant, "objects")[0] ?? "");
    const rows = await session.query(
      `SELECT privilege_type FROM (SELECT (aclexplode(${acl})).* FROM ${catalog} WHERE ${name} = $1) AS p WHERE grantee = $2`,
      [object, grantee],
    );
    return [{ object, privileges: asSet(rows.map((row) => String(row["privilege_type"]))) }];
  }
  const relationKind = relationKinds[objectType];
  const rows =
    relationKind === undefined
      ? await session.query(grantedOnRoutines, [grantee, text(grant, "schema")])
      : await session.query(grantedOnRelations, [grantee, text(grant, "schema"), relationKind]);
  return rows.map((row) => ({
    object: String(row["object"]),
    privileges: asSet(texts({ p: list(row["privileges"]) }, "p")),
  }));
}

const grantedOnRelations = `SELECT c.relname AS object,
    ARRAY(SELECT privilege_type FROM aclexplode(c.relacl) WHERE grantee = $1) AS privileges
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $2 AND c.relkind = $3 ORDER BY 1`;

/** Functions of one name count as one object. */
const grantedOnRoutines = `SELECT proname AS object, array_remove(array_agg(DISTINCT privilege_type), NULL) AS privileges
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN LATERAL aclexplode(p.proacl) AS acl ON acl.grantee = $1
  WHERE n.nspname = $2 GROUP BY proname ORDER BY 1`;

/** Those of the grant's columns on which the role has its one privilege. */
export async function grantedColumns(session: Session, grant: Properties): Promise<readonly string[]> {
  const rows = await session.query(
    `SELECT a.attname FROM pg_attribute a
       JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relname = $3
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $2
       CROSS JOIN LATERAL aclexplode(a.attacl) AS acl JOIN pg_roles r ON r.oid = acl.grantee AND r.rolname = $1
     WHERE acl.privilege_type = $4 ORDER BY 1`,
    [
      text(grant, "role"),
      text(grant, "schema"),
      texts(grant, "objects")[0] ?? "",
      texts(grant, "privileges")[0] ?? "",
    ],
  );
  const found = rows.map((row) => String(row["attname"]));
  return texts(grant, "columns").filter((column) => found.includes(column));
}

/** Major version of the server, e.g. 17. */
export async function majorVersion(session: Session): Promise<number> {
  const [row] = await session.query("SELECT current_setting('server_version_num')::int / 10000 AS major");
  return Number(row?.["major"]);
}

function list(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
