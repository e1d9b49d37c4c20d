import { literal } from "../../database/query.ts";
import type { TrackingName } from "../catalogue/sql.ts";
import { otherObjectsSql } from "./other-objects-sql.ts";

/**
 * Everything that makes up the application's schema, as rows (id, kind, name, base, schema, parent, owner, attrs, comment, acl).
 * `id` is the server's own identity of the object (catalogue, oid, number of the column), which renaming does not change; `name`
 * tells it apart within its kind and is what SQL calls it. Names are qualified only under an empty search path.
 */
export function objectsSql({ schema, table, ownSchema }: TrackingName): string {
  const hidden = ["rollback", "information_schema", ...(ownSchema === true ? [schema] : [])]
    .map(literal)
    .join(", ");
  return `
WITH ns AS MATERIALIZED (
  SELECT oid, nspname, quote_ident(nspname) AS q, nspowner, nspacl FROM pg_namespace WHERE nspname NOT IN (${hidden}) AND nspname !~ '^pg_'
), ext AS MATERIALIZED (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), tracked AS MATERIALIZED (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${literal(schema)} AND c.relname = ${literal(table)}
), inner_sequence AS MATERIALIZED (
  SELECT objid AS oid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND (d.deptype = 'i' OR (d.deptype = 'a' AND d.refobjid IN (SELECT oid FROM tracked)))
), rel AS MATERIALIZED (
  SELECT c.*, ns.q AS ns, quote_ident(c.relname) AS b, ns.q || '.' || quote_ident(c.relname) AS q FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
  WHERE c.oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_class'::regclass) AND c.oid NOT IN (SELECT oid FROM tracked)
    AND c.oid NOT IN (SELECT oid FROM inner_sequence)
), fn AS MATERIALIZED (
  SELECT p.*, ns.q AS ns, quote_ident(p.proname) AS b, ns.q || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS q
  FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace WHERE p.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype IN ('e', 'i'))
), typ AS MATERIALIZED (
  SELECT t.*, ns.q AS ns, quote_ident(t.typname) AS b, ns.q || '.' || quote_ident(t.typname) AS q FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
  WHERE t.typtype IN ('d', 'e', 'r') AND t.oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_type'::regclass)
), object AS (
  SELECT 'pg_namespace'::regclass AS class, oid, 0 AS sub, 'schema' AS kind, q AS name, q AS base, NULL::text AS ns, NULL::text AS parent,
    nspowner AS owner, '{}'::jsonb AS attrs, nspacl AS acl, 'n'::"char" AS acl_kind FROM ns WHERE nspname <> 'public'
      AND oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_namespace'::regclass)
  UNION ALL SELECT 'pg_extension'::regclass, oid, 0, 'extension', quote_ident(extname), quote_ident(extname), NULL, NULL, NULL,
    jsonb_build_object('schema', (SELECT quote_ident(nspname) FROM pg_namespace n WHERE n.oid = extnamespace)), NULL, NULL
    FROM pg_extension WHERE extname <> 'plpgsql'
  UNION ALL SELECT 'pg_type'::regclass, oid, 0, CASE typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range' END, q, b, ns, NULL, typowner,
    jsonb_build_object('labels', (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = typ.oid),
      'base', CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END, 'notNull', typnotnull, 'default', typdefault,
      'collation', CASE WHEN typtype = 'd' AND typcollation <> (SELECT b.typcollation FROM pg_type b WHERE b.oid = typ.typbasetype) THEN typcollation::regcollation::text END,
      'subtype', (SELECT rngsubtype::regtype::text FROM pg_range WHERE rngtypid = typ.oid)), typacl, 'T' FROM typ
  UNION ALL SELECT 'pg_class'::regclass, oid, 0, 'composite', q, b, ns, NULL, relowner, '{}', (SELECT typacl FROM pg_type WHERE pg_type.oid = reltype), 'T'
    FROM rel WHERE relkind = 'c'
  UNION ALL SELECT 'pg_class'::regclass, oid, 0, CASE WHEN relkind = 'f' THEN 'foreign table' ELSE 'table' END, q, b, ns, NULL, relowner,
    jsonb_build_object('unlogged', relpersistence = 'u', 'partitionBy', CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END,
      'partition', relispartition,
      'server', (SELECT quote_ident(s.srvname) FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = rel.oid),
      'foreign', (SELECT jsonb_agg(quote_ident(option_name) || ' ' || quote_literal(option_value) ORDER BY n) FROM pg_foreign_table f, pg_options_to_table(f.ftoptions) WITH ORDINALITY AS given (option_name, option_value, n) WHERE f.ftrelid = rel.oid),
      'inherits', (SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = rel.oid AND NOT relispartition),
      'ofType', CASE WHEN reloftype <> 0 THEN reloftype::regtype::text END, 'options', to_jsonb(reloptions),
      'rowSecurity', relrowsecurity, 'forced', relforcerowsecurity,
      'identity', CASE relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN CASE WHEN relkind = 'r' THEN 'NOTHING' END END), relacl, 'r'
    FROM rel WHERE relkind IN ('r', 'p', 'f')
  UNION ALL SELECT 'pg_class'::regclass, oid, 0, 'partition', q, b, ns, 'table ' || q, NULL,
    jsonb_build_object('of', (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = rel.oid), 'bound', pg_get_expr(relpartbound, oid)), NULL, NULL
    FROM rel WHERE relispartition AND relkind IN ('r', 'p', 'f')
  UNION ALL SELECT 'pg_class'::regclass, rel.oid, a.attnum, CASE WHEN rel.relkind = 'c' THEN 'attribute' ELSE 'column' END, rel.q || '.' || quote_ident(a.attname),
    quote_ident(a.attname), NULL, CASE rel.relkind WHEN 'c' THEN 'composite ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END || rel.q, relowner,
    jsonb_build_object('table', rel.q, 'position', a.attnum, 'type', format_type(a.atttypid, a.atttypmod), 'category', t.typcategory,
      'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END, 'notNull', a.attnotnull,
      'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, 'local', a.attislocal, 'partition', rel.relispartition,
      'last', (SELECT pg_sequence_last_value(p.objid)::text FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = rel.oid AND p.refobjsubid = a.attnum AND p.deptype = 'i'),
      'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
      'sequence', (SELECT jsonb_build_object('name', s.seqrelid::regclass::text, 'start', s.seqstart::text, 'increment', s.seqincrement::text, 'min', s.seqmin::text,
          'max', s.seqmax::text, 'cache', s.seqcache::text, 'cycle', s.seqcycle) FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid
        WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass AND p.refobjid = rel.oid AND p.refobjsubid = a.attnum AND p.deptype = 'i'),
      'storage', CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END END,
      'foreign', (SELECT jsonb_agg(quote_ident(option_name) || ' ' || quote_literal(option_value) ORDER BY n) FROM pg_options_to_table(a.attfdwoptions) WITH ORDINALITY AS given (option_name, option_value, n)),
      'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
      'options', (SELECT jsonb_agg(o ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%')), a.attacl, NULL
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE rel.relkind IN ('r', 'p', 'f', 'c')
  UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 0, 'default', rel.q || '.' || quote_ident(a.attname), quote_ident(a.attname), NULL,
    'column ' || rel.q || '.' || quote_ident(a.attname), NULL, jsonb_build_object('table', rel.q, 'view', rel.relkind = 'v', 'expression', pg_get_expr(d.adbin, d.adrelid)), NULL, NULL
    FROM pg_attrdef d JOIN rel ON rel.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated = ''
  UNION ALL SELECT 'pg_constraint'::regclass, c.oid, 0, 'constraint', coalesce(rel.q, typ.q) || ' ' || quote_ident(c.conname), quote_ident(c.conname), NULL,
    coalesce('table ' || rel.q, 'domain ' || typ.q), NULL,
    jsonb_build_object('on', coalesce(rel.q, typ.q), 'domain', typ.oid IS NOT NULL, 'type', c.contype, 'definition', pg_get_constraintdef(c.oid),
      'local', c.conislocal, 'references', CASE WHEN c.confrelid <> 0 THEN 'table ' || c.confrelid::regclass::text END,
      'partitioned', rel.relkind = 'p', 'index', CASE WHEN c.conindid <> 0 AND c.contype <> 'f' THEN c.conindid::regclass::text END,
      'of', (SELECT p.conrelid::regclass::text || ' ' || quote_ident(p.conname) FROM pg_constraint p WHERE p.oid = c.conparentid),
      'ofIndex', (SELECT p.conindid::regclass::text FROM pg_constraint p WHERE p.oid = c.conparentid),
      'clustered', coalesce(i.indisclustered, false), 'identity', coalesce(i.indisreplident, false),
      'options', (SELECT to_jsonb(x.reloptions) FROM pg_class x WHERE x.oid = c.conindid AND c.contype <> 'f')), NULL, NULL
    FROM pg_constraint c LEFT JOIN rel ON rel.oid = c.conrelid LEFT JOIN typ ON typ.oid = c.contypid
    LEFT JOIN pg_index i ON i.indexrelid = c.conindid AND c.contype <> 'f'
    WHERE c.contype NOT IN ('n', 't') AND coalesce(rel.oid, typ.oid) IS NOT NULL AND NOT (c.contype = 'f' AND c.conparentid <> 0)
  UNION ALL SELECT 'pg_class'::regclass, rel.oid, 0, 'index', rel.q, b, ns,
    CASE t.relkind WHEN 'm' THEN 'materialized view ' ELSE 'table ' END || t.oid::regclass::text, NULL,
    jsonb_build_object('table', t.oid::regclass::text, 'definition', pg_get_indexdef(rel.oid), 'clustered', i.indisclustered, 'identity', i.indisreplident,
      'valid', i.indisvalid, 'of', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = rel.oid)), NULL, NULL
    FROM rel JOIN pg_index i ON i.indexrelid = rel.oid JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.oid IN (SELECT oid FROM rel) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = rel.oid AND c.contype IN ('p', 'u', 'x'))
  UNION ALL SELECT 'pg_class'::regclass, rel.oid, 0, 'sequence', rel.q, b, ns, NULL, relowner,
    jsonb_build_object('type', format_type(s.seqtypid, NULL), 'start', s.seqstart::text, 'increment', s.seqincrement::text, 'min', s.seqmin::text, 'max', s.seqmax::text,
      'cache', s.seqcache::text, 'cycle', s.seqcycle, 'unlogged', relpersistence = 'u', 'last', pg_sequence_last_value(rel.oid)::text), relacl, 's'
    FROM rel JOIN pg_sequence s ON s.seqrelid = rel.oid
  UNION ALL SELECT 'pg_class'::regclass, rel.oid, 0, 'sequence owner', rel.q, b, ns, 'sequence ' || rel.q, NULL,
    jsonb_build_object('column', d.refobjid::regclass::text || '.' || quote_ident(a.attname)), NULL, NULL
    FROM rel JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = rel.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND d.refobjsubid > 0
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE rel.relkind = 'S'
  UNION ALL SELECT 'pg_proc'::regclass, oid, 0, CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, q, b, ns, NULL, proowner,
    CASE WHEN prokind = 'a' THEN (SELECT jsonb_build_object('parts', jsonb_strip_nulls(jsonb_build_object('SFUNC', aggtransfn::regproc::text, 'STYPE', aggtranstype::regtype::text,
        'FINALFUNC', nullif(aggfinalfn, 0)::regproc::text, 'COMBINEFUNC', nullif(aggcombinefn, 0)::regproc::text, 'INITCOND', quote_literal(agginitval))),
        'plain', aggkind = 'n' AND aggmtransfn = 0 AND aggsortop = 0) FROM pg_aggregate WHERE aggfnoid = fn.oid)
      ELSE jsonb_build_object('definition', pg_get_functiondef(oid), 'result', pg_get_function_result(oid), 'arguments', pg_get_function_arguments(oid)) END, proacl, 'f'
    FROM fn
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 0, 'trigger', rel.q || ' ' || quote_ident(t.tgname), quote_ident(t.tgname), NULL,
    CASE rel.relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || rel.q, NULL,
    jsonb_build_object('on', rel.q, 'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled), NULL, NULL
    FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname NOT LIKE '~rollback\\_%'
  UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, 0, 'rule', rel.q || ' ' || quote_ident(r.rulename), quote_ident(r.rulename), NULL,
    CASE rel.relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || rel.q, NULL,
    jsonb_build_object('on', rel.q, 'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled), NULL, NULL
    FROM pg_rewrite r JOIN rel ON rel.oid = r.ev_class WHERE r.rulename <> '_RETURN'
  UNION ALL SELECT 'pg_policy'::regclass, p.oid, 0, 'policy', rel.q || ' ' || quote_ident(p.polname), quote_ident(p.polname), NULL, 'table ' || rel.q, NULL,
    jsonb_build_object('on', rel.q, 'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
      'permissive', p.polpermissive, 'roles', (SELECT string_agg(coalesce(quote_ident(r.rolname), 'PUBLIC'), ', ' ORDER BY r.rolname) FROM unnest(p.polroles) AS o LEFT JOIN pg_roles r ON r.oid = o),
      'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)), NULL, NULL
    FROM pg_policy p JOIN rel ON rel.oid = p.polrelid
  UNION ALL SELECT 'pg_class'::regclass, oid, 0, CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, q, b, ns, NULL, relowner,
    jsonb_build_object('definition', pg_get_viewdef(oid), 'options', to_jsonb(reloptions), 'populated', relispopulated,
      'columns', (SELECT jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'comment', col_description(rel.oid, a.attnum), 'acl', a.attacl::text) ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = rel.oid AND a.attnum > 0 AND col_description(rel.oid, a.attnum) IS NOT NULL)), relacl, 'r'
    FROM rel WHERE relkind IN ('v', 'm')
  UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, 0, 'statistics', ns.q || '.' || quote_ident(s.stxname), quote_ident(s.stxname), ns.q, NULL, s.stxowner,
    jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid)), NULL, NULL FROM pg_statistic_ext s JOIN ns ON ns.oid = s.stxnamespace
  UNION ALL SELECT 'pg_default_acl'::regclass, d.oid, 0, 'default privileges', concat_ws(' ', d.defaclrole::regrole::text, ns.q, d.defaclobjtype::text), '', NULL, NULL, NULL,
    jsonb_build_object('role', d.defaclrole::regrole::text, 'schema', ns.q, 'of', CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END,
      'grants', (SELECT jsonb_agg(jsonb_build_object('grantee', g.grantee, 'privileges', g.privileges, 'grantable', g.grantable) ORDER BY g.grantee) FROM (
        SELECT coalesce(quote_ident(r.rolname), 'PUBLIC') AS grantee, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges, bool_and(a.is_grantable) AS grantable
        FROM aclexplode(d.defaclacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE a.grantee <> d.defaclrole GROUP BY 1) g)), NULL, NULL
    FROM pg_default_acl d LEFT JOIN ns ON ns.oid = d.defaclnamespace WHERE d.defaclnamespace = 0 OR ns.oid IS NOT NULL
  UNION ALL SELECT o.class, o.oid, 0, 'other', i.type || ' ' || i.identity, i.identity, NULL, NULL, o.owner,
    jsonb_build_object('create', o.create, 'drop', i.type || ' ' || i.identity, 'type', i.type,
      'grantOn', CASE i.type WHEN 'server' THEN 'FOREIGN SERVER ' || i.identity WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER ' || i.identity END), o.acl, o.acl_kind
    FROM (${otherObjectsSql}) AS o CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
    WHERE NOT EXISTS (SELECT FROM ext WHERE ext.classid = o.class AND ext.objid = o.oid)
)
SELECT o.class::regclass::text || ':' || o.oid || ':' || o.sub AS id, o.kind, o.name, o.base, o.ns AS schema, o.parent,
  CASE WHEN o.kind NOT IN ('column', 'attribute') THEN o.owner::regrole::text END AS owner, o.attrs,
  CASE WHEN o.kind IN ('partition', 'default', 'sequence owner', 'default privileges') THEN NULL
    WHEN o.sub > 0 THEN col_description(o.oid, o.sub)
    WHEN o.kind = 'composite' THEN obj_description((SELECT reltype FROM pg_class WHERE pg_class.oid = o.oid), 'pg_type')
    WHEN o.kind = 'constraint' OR o.class <> 'pg_class'::regclass OR o.kind <> '' THEN obj_description(o.oid, o.class::regclass::text) END AS comment,
  (SELECT jsonb_agg(jsonb_build_object('grantee', g.grantee, 'privileges', g.privileges, 'grantable', g.grantable) ORDER BY g.grantee, g.grantable) FROM (
    SELECT coalesce(quote_ident(r.rolname), 'PUBLIC') AS grantee, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges, a.is_grantable AS grantable
    FROM aclexplode(CASE WHEN o.acl_kind IS NULL THEN o.acl ELSE coalesce(o.acl, acldefault(o.acl_kind, o.owner)) END) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE a.grantee <> o.owner AND NOT (a.grantee <> 0 AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = o.owner AND m.member = a.grantee))
    GROUP BY 1, 3) g) AS acl
FROM object o`;
}

/**
 * Who depends on whom, as pairs of ids (see `objectsSql`). What only stands for another object is given as that one: a view's
 * rule, a table's row type, an array type, what comes with a range, the index of a constraint, the sequence of an identity column, an extension's members, what
 * a publication publishes.
 */
export const dependenciesSql = `
WITH ext AS MATERIALIZED (SELECT classid, objid, refobjid FROM pg_depend WHERE deptype = 'e'
), alias AS MATERIALIZED (
  SELECT 'pg_rewrite'::regclass::oid AS class, r.oid, 'pg_class:' || r.ev_class || ':0' AS id FROM pg_rewrite r WHERE r.rulename = '_RETURN'
  UNION ALL SELECT 'pg_type'::regclass, t.oid, 'pg_class:' || t.typrelid || ':0' FROM pg_type t WHERE t.typrelid <> 0
  UNION ALL SELECT 'pg_type'::regclass, t.oid, CASE WHEN e.typrelid <> 0 THEN 'pg_class:' || e.typrelid ELSE 'pg_type:' || e.oid END || ':0'
    FROM pg_type t JOIN pg_type e ON e.typarray = t.oid
  UNION ALL SELECT 'pg_class'::regclass, c.conindid, 'pg_constraint:' || c.oid || ':0' FROM pg_constraint c WHERE c.contype IN ('p', 'u', 'x')
  UNION ALL SELECT 'pg_class'::regclass, d.objid, 'pg_class:' || d.refobjid || ':' || d.refobjsubid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
  UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 'pg_class:' || d.adrelid || ':' || d.adnum FROM pg_attrdef d
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated <> ''
  UNION ALL SELECT 'pg_type'::regclass, rngmultitypid, 'pg_type:' || rngtypid || ':0' FROM pg_range
  UNION ALL SELECT 'pg_proc'::regclass, objid, 'pg_type:' || refobjid || ':0' FROM pg_depend WHERE classid = 'pg_proc'::regclass AND refclassid = 'pg_type'::regclass AND deptype = 'i'
  UNION ALL SELECT 'pg_publication_rel'::regclass, oid, 'pg_publication:' || prpubid || ':0' FROM pg_publication_rel
  UNION ALL SELECT 'pg_publication_namespace'::regclass, oid, 'pg_publication:' || pnpubid || ':0' FROM pg_publication_namespace
  UNION ALL SELECT e.classid, e.objid, 'pg_extension:' || e.refobjid || ':0' FROM ext e
)
SELECT DISTINCT coalesce(f.id, d.classid::regclass::text || ':' || d.objid || ':' || CASE WHEN fc.relkind IN ('r', 'p', 'f', 'c') THEN d.objsubid ELSE 0 END) AS dependent,
  coalesce(t.id, d.refclassid::regclass::text || ':' || d.refobjid || ':' || CASE WHEN tc.relkind IN ('r', 'p', 'f', 'c') THEN d.refobjsubid ELSE 0 END) AS on
FROM pg_depend d
LEFT JOIN alias f ON f.class = d.classid AND f.oid = d.objid LEFT JOIN alias t ON t.class = d.refclassid AND t.oid = d.refobjid
LEFT JOIN pg_class fc ON d.classid = 'pg_class'::regclass AND fc.oid = d.objid LEFT JOIN pg_class tc ON d.refclassid = 'pg_class'::regclass AND tc.oid = d.refobjid
WHERE d.refobjid >= 16384 AND d.objid >= 16384 AND d.deptype <> 'e'`;
