import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { z } from "zod";
import { literal, rowOf, rowsOf } from "../database/query.ts";

/** The catalogue of a database: each object's identity (kind and name) with its definition. */
export type Catalogue = ReadonlyMap<string, string>;

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
 */
export function catalogueSql(tracking: TrackingName): string {
  const trackingTable = `(${literal(tracking.schema)}, ${literal(tracking.table)})`;
  const hiddenSchemas = ["rollback", ...(tracking.ownSchema === true ? [tracking.schema] : [])]
    .map(literal)
    .join(", ");
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
), acl AS (
  SELECT 'grant' AS kind, o.q || ' ' || coalesce(quote_ident(g.rolname), 'PUBLIC') AS name,
    string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ',' ORDER BY a.privilege_type) AS definition
  FROM (
    SELECT 'table ' || q AS q, relowner AS owner, coalesce(relacl, acldefault('r', relowner)) AS acl FROM rel WHERE relkind IN ('r', 'p', 'f', 'v', 'm')
    UNION ALL SELECT 'sequence ' || q, relowner, coalesce(relacl, acldefault('s', relowner)) FROM rel WHERE relkind = 'S'
    UNION ALL SELECT 'function ' || q, proowner, coalesce(proacl, acldefault('f', proowner)) FROM fn
    UNION ALL SELECT 'type ' || q, typowner, coalesce(typacl, acldefault('T', typowner)) FROM typ
    UNION ALL SELECT 'schema ' || q, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM ns WHERE nspname <> 'public'
    UNION ALL SELECT 'column ' || rel.q || '.' || quote_ident(a.attname), relowner, a.attacl FROM rel
      JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
  ) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS a LEFT JOIN pg_roles g ON g.oid = a.grantee
  WHERE a.grantee <> o.owner
    AND NOT (a.grantee <> 0 AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = o.owner AND m.member = a.grantee))
  GROUP BY 1, 2
)
SELECT 'schema' AS kind, q AS name, 'owner ' || nspowner::regrole AS definition FROM ns WHERE nspname <> 'public'
  AND oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_namespace'::regclass)
UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
    WHEN 'c' THEN 'composite type' ELSE 'table' END, q,
  concat_ws(' ', 'owner ' || relowner::regrole, CASE relpersistence WHEN 'u' THEN 'unlogged' END,
    CASE WHEN relkind = 'p' THEN 'partition by ' || pg_get_partkeydef(oid) END,
    CASE WHEN relispartition THEN pg_get_expr(relpartbound, oid) END,
    (SELECT 'inherits ' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = rel.oid),
    CASE WHEN reloftype <> 0 THEN 'of ' || reloftype::regtype END,
    'options ' || reloptions::text, 'tablespace ' || (SELECT spcname FROM pg_tablespace WHERE oid = reltablespace),
    CASE WHEN relispartition THEN (SELECT 'detached' FROM pg_inherits i WHERE i.inhrelid = rel.oid AND i.inhdetachpending) END,
    CASE WHEN relrowsecurity THEN 'row security' END,
    CASE WHEN relforcerowsecurity THEN 'forced' END, CASE WHEN relreplident NOT IN ('d', 'n') THEN 'identity ' || relreplident::text END,
    CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END)
  FROM rel WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
UNION ALL SELECT 'column', rel.q || '.' || quote_ident(a.attname),
  concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated ' || a.attgenerated::text END || ' ' || pg_get_expr(d.adbin, d.adrelid),
    CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END,
    CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
    CASE WHEN a.attstattarget >= 0 THEN 'statistics ' || a.attstattarget END,
    CASE WHEN a.attcompression <> '' THEN 'compression ' || a.attcompression::text END,
    'options ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%'), CASE WHEN NOT a.attislocal THEN 'inherited' END)
  FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE rel.relkind IN ('r', 'p', 'f', 'c') OR d.oid IS NOT NULL
UNION ALL SELECT 'constraint', coalesce(rel.q, typ.q) || ' ' || quote_ident(c.conname), pg_get_constraintdef(c.oid)
  FROM pg_constraint c LEFT JOIN rel ON rel.oid = c.conrelid LEFT JOIN typ ON typ.oid = c.contypid
  WHERE c.contype NOT IN ('n', 't') AND coalesce(rel.oid, typ.oid) IS NOT NULL
UNION ALL SELECT 'index', rel.q, pg_get_indexdef(rel.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
    || CASE WHEN i.indisclustered THEN ' clustered' ELSE '' END || CASE WHEN i.indisreplident THEN ' identity' ELSE '' END
    || coalesce(' options ' || rel.reloptions::text, '')
    || coalesce(' part of ' || (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = rel.oid), '')
  FROM rel JOIN pg_index i ON i.indexrelid = rel.oid
UNION ALL SELECT 'sequence', rel.q, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
    s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END, 'owner ' || rel.relowner::regrole,
    (SELECT 'owned by ' || d.refobjid::regclass || '.' || quote_ident(a.attname) FROM pg_depend d
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = rel.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1))
  FROM rel JOIN pg_sequence s ON s.seqrelid = rel.oid
UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, q,
  'owner ' || proowner::regrole || ' ' || CASE WHEN prokind = 'a'
    THEN (SELECT concat_ws(' ', aggtransfn, aggfinalfn, aggcombinefn, aggtranstype::regtype, agginitval, aggsortop::regoperator) FROM pg_aggregate WHERE aggfnoid = fn.oid)
    ELSE pg_get_functiondef(oid) END
  FROM fn
UNION ALL SELECT 'trigger', rel.q || ' ' || quote_ident(t.tgname), pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
  FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgname NOT LIKE '~rollback\\_%'
UNION ALL SELECT 'rule', rel.q || ' ' || quote_ident(r.rulename), pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
  FROM pg_rewrite r JOIN rel ON rel.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL SELECT 'policy', rel.q || ' ' || quote_ident(p.polname), concat_ws(' ', p.polcmd, CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
    (SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY r.rolname) FROM unnest(p.polroles) AS o LEFT JOIN pg_roles r ON r.oid = o),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p JOIN rel ON rel.oid = p.polrelid
UNION ALL SELECT CASE typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range' END, q, concat_ws(' ', 'owner ' || typowner::regrole,
    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = typ.oid),
    CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END,
    (SELECT 'collate ' || typ.typcollation::regcollation FROM pg_type b WHERE b.oid = typ.typbasetype AND b.typcollation <> typ.typcollation), CASE WHEN typnotnull THEN 'not null' END, 'default ' || typdefault,
    (SELECT concat_ws(' ', rngsubtype::regtype, rngmultitypid::regtype, rngsubdiff, rngcanonical) FROM pg_range WHERE rngtypid = typ.oid))
  FROM typ
UNION ALL SELECT kind, name, definition FROM acl
UNION ALL SELECT 'default privileges', coalesce(ns.q, '') || ' ' || d.defaclrole::regrole || ' ' || d.defaclobjtype::text || ' ' || coalesce(quote_ident(g.rolname), 'PUBLIC'),
  string_agg(a.privilege_type, ',' ORDER BY a.privilege_type)
  FROM pg_default_acl d LEFT JOIN ns ON ns.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
  WHERE (d.defaclnamespace = 0 OR ns.oid IS NOT NULL) AND a.grantee <> d.defaclrole
    AND NOT (a.grantee <> 0 AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = d.defaclrole AND m.member = a.grantee))
  GROUP BY 1, 2
UNION ALL SELECT 'default privileges', d.defaclrole::regrole || ' ' || d.defaclobjtype::text || ' PUBLIC', 'none'
  FROM pg_default_acl d WHERE d.defaclnamespace = 0 AND d.defaclobjtype IN ('f', 'T')
    AND NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee = 0)
UNION ALL SELECT 'comment', i.type || ' ' || i.identity, d.description
  FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
  WHERE d.objoid >= 16384 AND NOT (d.classoid = 'pg_class'::regclass AND d.objoid IN (SELECT oid FROM hidden))
    AND NOT EXISTS (SELECT FROM ext WHERE ext.classid = d.classoid AND ext.objid = d.objoid)
    AND d.classoid <> 'pg_extension'::regclass
    AND NOT (d.classoid = 'pg_namespace'::regclass AND d.objoid IN (SELECT oid FROM pg_namespace WHERE nspname IN (${hiddenSchemas})))
    AND coalesce(i.schema, '') NOT IN (${hiddenSchemas})
    AND NOT EXISTS (SELECT FROM unnest(ARRAY[${hiddenSchemas}]) AS hide WHERE position(' on ' || quote_ident(hide) || '.' IN i.identity) > 0)
UNION ALL SELECT 'statistics', ns.q || '.' || quote_ident(s.stxname), pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN ns ON ns.oid = s.stxnamespace
UNION ALL SELECT 'extension', quote_ident(e.extname), concat_ws(' ', e.extversion, 'in', quote_ident(n.nspname))
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace JOIN pg_roles r ON r.oid = e.extowner WHERE NOT r.rolsuper
UNION ALL SELECT i.type, i.identity, o.definition
  FROM (
    SELECT 'pg_operator'::regclass AS class, o.oid, concat_ws(' ', o.oprcode, o.oprresult::regtype, o.oprcom::regoperator, o.oprnegate::regoperator,
        o.oprrest, o.oprjoin, CASE WHEN o.oprcanmerge THEN 'merges' END, CASE WHEN o.oprcanhash THEN 'hashes' END) AS definition
      FROM pg_operator o JOIN ns ON ns.oid = o.oprnamespace
    UNION ALL SELECT 'pg_opclass'::regclass, o.oid, concat_ws(' ', o.opcintype::regtype, nullif(o.opckeytype, 0)::regtype, CASE WHEN o.opcdefault THEN 'default' END)
      FROM pg_opclass o JOIN ns ON ns.oid = o.opcnamespace
    UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, concat_ws(' ',
        (SELECT string_agg(concat_ws(' ', m.amopstrategy, m.amopopr::regoperator, m.amoppurpose), ', ' ORDER BY m.amopstrategy, m.amopopr::regoperator::text) FROM pg_amop m WHERE m.amopfamily = o.oid),
        (SELECT string_agg(concat_ws(' ', m.amprocnum, m.amproc::regprocedure), ', ' ORDER BY m.amprocnum, m.amproc::regprocedure::text) FROM pg_amproc m WHERE m.amprocfamily = o.oid))
      FROM pg_opfamily o JOIN ns ON ns.oid = o.opfnamespace
    UNION ALL SELECT 'pg_collation'::regclass, o.oid, concat_ws(' ', o.collprovider, o.collisdeterministic, o.collcollate, o.collctype,
        coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale'), to_jsonb(o) ->> 'collicurules')
      FROM pg_collation o JOIN ns ON ns.oid = o.collnamespace
    UNION ALL SELECT 'pg_conversion'::regclass, o.oid, concat_ws(' ', o.conforencoding, o.contoencoding, o.conproc, o.condefault)
      FROM pg_conversion o JOIN ns ON ns.oid = o.connamespace
    UNION ALL SELECT 'pg_ts_config'::regclass, o.oid, concat_ws(' ', (SELECT p.prsname FROM pg_ts_parser p WHERE p.oid = o.cfgparser),
        (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid))
      FROM pg_ts_config o JOIN ns ON ns.oid = o.cfgnamespace
    UNION ALL SELECT 'pg_ts_dict'::regclass, o.oid, concat_ws(' ', (SELECT t.tmplname FROM pg_ts_template t WHERE t.oid = o.dicttemplate), o.dictinitoption)
      FROM pg_ts_dict o JOIN ns ON ns.oid = o.dictnamespace
    UNION ALL SELECT 'pg_cast'::regclass, o.oid, concat_ws(' ', o.castcontext, o.castmethod, nullif(o.castfunc, 0)::regprocedure) FROM pg_cast o WHERE o.oid >= 16384
    UNION ALL SELECT 'pg_language'::regclass, o.oid, concat_ws(' ', CASE WHEN o.lanpltrusted THEN 'trusted' END, o.lanplcallfoid::regproc) FROM pg_language o WHERE o.oid >= 16384
    UNION ALL SELECT 'pg_event_trigger'::regclass, o.oid, concat_ws(' ', o.evtevent, o.evtfoid::regprocedure, o.evtenabled, o.evttags::text) FROM pg_event_trigger o
    UNION ALL SELECT 'pg_publication'::regclass, o.oid, concat_ws(' ', CASE WHEN o.puballtables THEN 'all tables' END, o.pubinsert, o.pubupdate, o.pubdelete, o.pubtruncate, o.pubviaroot,
        (SELECT string_agg(concat_ws(' ', m.prrelid::regclass, m.prattrs::text, pg_get_expr(m.prqual, m.prrelid)), ', ' ORDER BY m.prrelid::regclass::text) FROM pg_publication_rel m WHERE m.prpubid = o.oid),
        (SELECT string_agg(m.pnnspid::regnamespace::text, ', ' ORDER BY m.pnnspid::regnamespace::text) FROM pg_publication_namespace m WHERE m.pnpubid = o.oid))
      FROM pg_publication o
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, o.oid, concat_ws(' ', nullif(o.fdwhandler, 0)::regproc, nullif(o.fdwvalidator, 0)::regproc, (SELECT string_agg(split_part(x, '=', 1), ',' ORDER BY x) FROM unnest(o.fdwoptions) x))
      FROM pg_foreign_data_wrapper o
    UNION ALL SELECT 'pg_foreign_server'::regclass, o.oid, concat_ws(' ', o.srvtype, o.srvversion, o.srvoptions::text) FROM pg_foreign_server o
  ) AS o CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
  WHERE NOT EXISTS (SELECT FROM ext WHERE ext.classid = o.class AND ext.objid = o.oid)`;
}

/** The catalogue as it is now. Inside a transaction only (the search path is set for it and reset after). */
export async function readCatalogue(client: ClientBase, tracking: TrackingName): Promise<Catalogue> {
  await client.query("SET LOCAL search_path = ''");
  const rows = await rowsOf(
    client,
    z.object({ kind: z.string(), name: z.string(), definition: z.string().nullable() }),
    catalogueSql(tracking),
  );
  await client.query("RESET search_path");
  // A definition is null for what somebody dropped while the query ran: the catalogue of the snapshot still lists it.
  return new Map(
    rows.flatMap(({ kind, name, definition }) =>
      definition === null ? [] : [[`${kind} ${name}`, definition] as const],
    ),
  );
}

/**
 * SHA-256 over the hashes of all entries, sorted, hex. Equal catalogues have equal fingerprints on every server, and the
 * server can compute it as well: see `fingerprintNow`.
 */
export function fingerprintOf(catalogue: Catalogue): string {
  const hashes = [...catalogue].map(([key, definition]) => sha256(`${key}${separator}${definition}`));
  return sha256(hashes.sort().join(""));
}

/** The fingerprint computed by the server, so that a large catalogue need not be fetched. Inside a transaction only. */
export async function fingerprintNow(client: ClientBase, tracking: TrackingName): Promise<string> {
  await client.query("SET LOCAL search_path = ''");
  const { fingerprint } = await rowOf(
    client,
    z.object({ fingerprint: z.string() }),
    `SELECT encode(sha256(convert_to(coalesce(string_agg(hash, '' ORDER BY hash COLLATE "C"), ''), 'UTF8')), 'hex') AS fingerprint
     FROM (SELECT encode(sha256(convert_to(kind || ' ' || name || ${literal(separator)} || definition, 'UTF8')), 'hex') AS hash
       FROM (${catalogueSql(tracking)}) AS entry WHERE definition IS NOT NULL) AS hashed`,
  );
  await client.query("RESET search_path");
  return fingerprint;
}

/**
 * A cheap mark of the catalogue's row versions: equal marks mean that nothing was changed at all, different ones mean nothing
 * (a restored dump has other row versions). Thousands of objects are marked in milliseconds, while describing them takes long.
 */
export async function catalogueMark(client: ClientBase): Promise<string> {
  const { mark } = await rowOf(client, z.object({ mark: z.string() }), markSql);
  return mark;
}

const version = (oid: string) =>
  `bit_xor(hashint8extended(${oid}::bigint, x.xmin::text::bigint)) || ':' || count(*)`;
const ofRelation = (catalog: string, relation: string, oid = "x.oid") =>
  `SELECT '${catalog}' AS catalog, ${version(oid)} AS mark FROM ${catalog} x JOIN rel ON rel.oid = x.${relation}`;
const ofSchema = (catalog: string, namespace: string) =>
  `SELECT '${catalog}' AS catalog, ${version("x.oid")} AS mark FROM ${catalog} x JOIN ns ON ns.oid = x.${namespace}`;
const ofUsers = (catalog: string, object: string, oid = "x.oid") =>
  `SELECT '${catalog}' AS catalog, ${version(oid)} AS mark FROM ${catalog} x WHERE x.${object} >= 16384`;

// The owner's ids of what `catalogueSql` reads; role memberships are left out, as releases come and go.
const markSql = `
WITH ns AS MATERIALIZED (
  SELECT oid FROM pg_namespace WHERE nspname NOT IN ('rollback', 'information_schema') AND nspname !~ '^pg_'
), rel AS MATERIALIZED (SELECT c.oid FROM pg_class c JOIN ns ON ns.oid = c.relnamespace)
SELECT coalesce(string_agg(catalog || mark, ' ' ORDER BY catalog COLLATE "C"), '') AS mark FROM (
  SELECT 'pg_namespace' AS catalog, ${version("x.oid")} AS mark FROM pg_namespace x JOIN ns ON ns.oid = x.oid
  UNION ALL ${[
    ofSchema("pg_class", "relnamespace"),
    ofSchema("pg_proc", "pronamespace"),
    ofSchema("pg_type", "typnamespace"),
    ofSchema("pg_constraint", "connamespace"),
    ofSchema("pg_operator", "oprnamespace"),
    ofSchema("pg_opclass", "opcnamespace"),
    ofSchema("pg_collation", "collnamespace"),
    ofSchema("pg_ts_config", "cfgnamespace"),
    ofSchema("pg_ts_dict", "dictnamespace"),
    ofSchema("pg_statistic_ext", "stxnamespace"),
    ofRelation("pg_attribute", "attrelid", "x.attrelid::bigint * 2048 + x.attnum"),
    ofRelation("pg_attrdef", "adrelid"),
    ofRelation("pg_index", "indexrelid", "x.indexrelid"),
    ofRelation("pg_sequence", "seqrelid", "x.seqrelid"),
    ofRelation("pg_trigger", "tgrelid"),
    ofRelation("pg_rewrite", "ev_class"),
    ofRelation("pg_policy", "polrelid"),
    ofRelation("pg_inherits", "inhrelid", "x.inhrelid::bigint * 4294967296 + x.inhparent::bigint"),
    ofSchema("pg_opfamily", "opfnamespace"),
    ofSchema("pg_conversion", "connamespace"),
    ofUsers("pg_amop", "oid"),
    ofUsers("pg_amproc", "oid"),
    ofUsers("pg_extension", "oid"),
    ofUsers("pg_language", "oid"),
    ofUsers("pg_foreign_data_wrapper", "oid"),
    ofUsers("pg_publication_rel", "oid"),
    ofUsers("pg_publication_namespace", "oid"),
    ofUsers("pg_ts_config_map", "mapcfg", "x.mapcfg::bigint * 4096 + x.maptokentype * 16 + x.mapseqno"),
    // What owns a sequence is nowhere else.
    `SELECT 'pg_depend' AS catalog, ${version("x.objid::bigint * 2048 + x.refobjsubid")} AS mark FROM pg_depend x JOIN rel ON rel.oid = x.objid WHERE x.classid = 'pg_class'::regclass AND x.refobjsubid > 0 AND x.deptype IN ('a', 'i')`,
    ofUsers("pg_enum", "oid"),
    ofUsers("pg_cast", "oid"),
    ofUsers("pg_event_trigger", "oid"),
    ofUsers("pg_publication", "oid"),
    ofUsers("pg_foreign_server", "oid"),
    ofUsers("pg_default_acl", "oid"),
    ofUsers("pg_description", "objoid", "x.objoid::bigint * 2048 + x.objsubid"),
  ].join("\n  UNION ALL ")}
) AS marks`;

const separator = "\u001f";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** How one catalogue became another: what is gone (with its definition), what changed (before and after), what is new. */
export interface CatalogueChanges {
  readonly removed: Readonly<Record<string, string>>;
  readonly changed: Readonly<Record<string, { readonly before: string; readonly after: string }>>;
  readonly added: Readonly<Record<string, string>>;
}

/** See `CatalogueChanges`. */
export function compareCatalogues(before: Catalogue, after: Catalogue): CatalogueChanges {
  const removed: Record<string, string> = {};
  const changed: Record<string, { before: string; after: string }> = {};
  const added: Record<string, string> = {};
  for (const [key, definition] of before) {
    const now = after.get(key);
    if (now === undefined) removed[key] = definition;
    else if (now !== definition) changed[key] = { before: definition, after: now };
  }
  for (const [key, definition] of after) if (!before.has(key)) added[key] = definition;
  return { removed, changed, added };
}

/** The differences for people, at most `most` lines (default 12). */
export function describeChanges(changes: CatalogueChanges, most = 12): string[] {
  const lines = [
    ...Object.keys(changes.removed).map((key) => `missing: ${key}`),
    ...Object.entries(changes.changed).map(
      ([key, { before, after }]) => `differs: ${key}: ${before} → ${after}`,
    ),
    ...Object.keys(changes.added).map((key) => `left over: ${key}`),
  ];
  return lines.length <= most ? lines : [...lines.slice(0, most), `… and ${lines.length - most} more`];
}
