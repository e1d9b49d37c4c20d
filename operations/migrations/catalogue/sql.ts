import { literal } from "../../database/query.ts";
import { entries, rareEntries } from "./kinds.ts";

/** Relation of the migration tool's own bookkeeping, which is no part of the application's schema. */
export interface TrackingName {
  readonly schema: string;
  readonly table: string;
  /** The whole schema is the tool's. */
  readonly ownSchema?: boolean;
}

/**
 * One query for everything that makes up the application's schema, as rows (kind, name, definition).
 * Left out: system schemas, `rollback`, temporary objects, objects that belong to extensions, the tracking table, and
 * grants to roles that are members of an object's owner (a release's login roles: they come and go with releases).
 * Columns are rows of their own without their position, so column order does not matter.
 * Names come out fully qualified only under an empty search path: see `readCatalogue`.
 * `holding` names the system catalogues that hold anything of the application's: planning the query takes longer than to run
 * it, and few schemas have operators or publications.
 */
export function catalogueSql(tracking: TrackingName, holding: ReadonlySet<string>): string {
  // The query of the schemas is always there: it names the columns.
  const present = new Set([...holding, "pg_namespace"]);
  const hidden = ["rollback", ...(tracking.ownSchema === true ? [tracking.schema] : [])];
  const hiddenSchemas = hidden.map(literal).join(", ");
  const wanted = [
    ...entries.filter(({ of }) => present.has(of)).map(({ sql }) => sql),
    grants(present),
    ...(present.has("pg_description") ? [comments(hiddenSchemas)] : []),
    ...rare(present),
  ];
  return `${sources(tracking, hiddenSchemas)}\n${wanted.join("\nUNION ALL ")}`;
}

function sources(tracking: TrackingName, hiddenSchemas: string): string {
  const trackingTable = `(${literal(tracking.schema)}, ${literal(tracking.table)})`;
  return `
WITH ns AS MATERIALIZED (
  SELECT oid, nspname, quote_ident(nspname) AS q, nspowner, nspacl FROM pg_namespace
  WHERE nspname NOT IN (${hiddenSchemas}, 'information_schema') AND nspname !~ '^pg_'
), ext AS MATERIALIZED (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), tracked AS MATERIALIZED (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = ${trackingTable}
), hidden AS MATERIALIZED (
  SELECT objid AS oid FROM ext WHERE classid = 'pg_class'::regclass
  UNION ALL SELECT oid FROM tracked
  UNION ALL SELECT i.indexrelid FROM pg_index i JOIN tracked t ON t.oid = i.indrelid
  UNION ALL SELECT d.objid FROM pg_depend d JOIN tracked t ON t.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
), rel AS MATERIALIZED (
  SELECT c.*, ns.q || '.' || quote_ident(c.relname) AS q FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
  WHERE c.oid NOT IN (SELECT oid FROM hidden) AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c', 'i', 'I')
), fn AS MATERIALIZED (
  SELECT p.*, ns.q || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS q
  FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
  WHERE p.oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_proc'::regclass)
), typ AS MATERIALIZED (
  SELECT t.*, ns.q || '.' || quote_ident(t.typname) AS q FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
  WHERE t.typtype IN ('d', 'e', 'r') AND t.oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_type'::regclass)
)`;
}

function grants(present: ReadonlySet<string>): string {
  const owned = [
    [
      "pg_namespace",
      "SELECT 'schema ' || q AS q, nspowner AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM ns WHERE nspname <> 'public'",
    ],
    [
      "pg_class",
      "SELECT 'table ' || q AS q, relowner AS owner, coalesce(relacl, acldefault('r', relowner)) AS acl FROM rel WHERE relkind IN ('r', 'p', 'f', 'v', 'm')",
    ],
    [
      "pg_sequence",
      "SELECT 'sequence ' || q, relowner, coalesce(relacl, acldefault('s', relowner)) FROM rel WHERE relkind = 'S'",
    ],
    ["pg_proc", "SELECT 'function ' || q, proowner, coalesce(proacl, acldefault('f', proowner)) FROM fn"],
    [
      "pg_foreign_server",
      "SELECT 'server ' || quote_ident(srvname), srvowner, coalesce(srvacl, acldefault('S', srvowner)) FROM pg_foreign_server",
    ],
    ["pg_type", "SELECT 'type ' || q, typowner, coalesce(typacl, acldefault('T', typowner)) FROM typ"],
    [
      "pg_class",
      "SELECT 'column ' || rel.q || '.' || quote_ident(a.attname), relowner, a.attacl FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped",
    ],
  ] as const;
  return `SELECT 'grant' AS kind, o.q || ' ' || coalesce(quote_ident(g.rolname), 'PUBLIC') AS name,
    string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ',' ORDER BY a.privilege_type) AS definition
  FROM (
    ${owned
      .filter(([of]) => present.has(of))
      .map(([, sql]) => sql)
      .join("\n    UNION ALL ")}
  ) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS a LEFT JOIN pg_roles g ON g.oid = a.grantee
  WHERE a.grantee <> o.owner
    AND NOT (a.grantee <> 0 AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = o.owner AND m.member = a.grantee))
  GROUP BY 1, 2`;
}

function comments(hiddenSchemas: string): string {
  return `SELECT 'comment', i.type || ' ' || i.identity, d.description
  FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
  WHERE d.objoid >= 16384 AND NOT (d.classoid = 'pg_class'::regclass AND d.objoid IN (SELECT oid FROM hidden))
    AND NOT EXISTS (SELECT FROM ext WHERE ext.classid = d.classoid AND ext.objid = d.objoid)
    AND d.classoid <> 'pg_extension'::regclass
    AND NOT (d.classoid = 'pg_namespace'::regclass AND d.objoid IN (SELECT oid FROM pg_namespace WHERE nspname IN (${hiddenSchemas})))
    AND coalesce(i.schema, '') NOT IN (${hiddenSchemas})
    AND NOT EXISTS (SELECT FROM unnest(ARRAY[${hiddenSchemas}]) AS hide WHERE position(' on ' || quote_ident(hide) || '.' IN i.identity) > 0)`;
}

/** None, or one query for all of them. */
function rare(present: ReadonlySet<string>): string[] {
  const wanted = Object.entries(rareEntries).filter(([of]) => present.has(of));
  if (wanted.length === 0) return [];
  return [
    `SELECT i.type, i.identity, o.definition
  FROM (
    ${wanted.map(([, sql]) => sql).join("\n    UNION ALL ")}
  ) AS o (class, oid, definition) CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
  WHERE NOT EXISTS (SELECT FROM ext WHERE ext.classid = o.class AND ext.objid = o.oid)`,
  ];
}
