/** Entries of one kind, and the system catalogue without whose rows there are none of them. */
export interface Entries {
  readonly of: string;
  /** A query for (kind, name, definition) over the tables that `catalogueSql` defines. */
  readonly sql: string;
}

/** What most schemas have, each kind with a query of its own. */
export const entries: readonly Entries[] = [
  {
    of: "pg_namespace",
    sql: `SELECT 'schema' AS kind, q AS name, 'owner ' || nspowner::regrole AS definition FROM ns WHERE nspname <> 'public'
  AND oid NOT IN (SELECT objid FROM ext WHERE classid = 'pg_namespace'::regclass)`,
  },
  {
    of: "pg_class",
    sql: `SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
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
    (SELECT concat_ws(' ', 'server', quote_ident(s.srvname), f.ftoptions::text) FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = rel.oid),
    CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END)
  FROM rel WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'c')`,
  },
  {
    of: "pg_class",
    sql: `SELECT 'column', rel.q || '.' || quote_ident(a.attname),
  concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated ' || a.attgenerated::text END || ' ' || pg_get_expr(d.adbin, d.adrelid),
    CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END,
    CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
    CASE WHEN a.attstattarget >= 0 THEN 'statistics ' || a.attstattarget END,
    CASE WHEN a.attcompression <> '' THEN 'compression ' || a.attcompression::text END,
    'options ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%'), CASE WHEN NOT a.attislocal THEN 'inherited' END,
    'foreign ' || a.attfdwoptions::text)
  FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE rel.relkind IN ('r', 'p', 'f', 'c') OR d.oid IS NOT NULL`,
  },
  {
    of: "pg_constraint",
    sql: `SELECT 'constraint', coalesce(rel.q, typ.q) || ' ' || quote_ident(c.conname), pg_get_constraintdef(c.oid)
  FROM pg_constraint c LEFT JOIN rel ON rel.oid = c.conrelid LEFT JOIN typ ON typ.oid = c.contypid
  WHERE c.contype NOT IN ('n', 't') AND coalesce(rel.oid, typ.oid) IS NOT NULL`,
  },
  {
    of: "pg_index",
    sql: `SELECT 'index', rel.q, pg_get_indexdef(rel.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
    || CASE WHEN i.indisclustered THEN ' clustered' ELSE '' END || CASE WHEN i.indisreplident THEN ' identity' ELSE '' END
    || coalesce(' options ' || rel.reloptions::text, '')
    || coalesce(' part of ' || (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = rel.oid), '')
  FROM rel JOIN pg_index i ON i.indexrelid = rel.oid`,
  },
  {
    of: "pg_sequence",
    sql: `SELECT 'sequence', rel.q, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
    s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END, 'owner ' || rel.relowner::regrole,
    (SELECT 'owned by ' || d.refobjid::regclass || '.' || quote_ident(a.attname) FROM pg_depend d
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = rel.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1))
  FROM rel JOIN pg_sequence s ON s.seqrelid = rel.oid`,
  },
  {
    of: "pg_proc",
    sql: `SELECT CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, q,
  'owner ' || proowner::regrole || ' ' || CASE WHEN prokind = 'a'
    THEN (SELECT concat_ws(' ', aggtransfn, aggfinalfn, aggcombinefn, aggtranstype::regtype, agginitval, aggsortop::regoperator) FROM pg_aggregate WHERE aggfnoid = fn.oid)
    ELSE pg_get_functiondef(oid) END
  FROM fn`,
  },
  {
    of: "pg_trigger",
    sql: `SELECT 'trigger', rel.q || ' ' || quote_ident(t.tgname), pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
  FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgname NOT LIKE '~rollback\\_%'`,
  },
  {
    of: "pg_rewrite",
    sql: `SELECT 'rule', rel.q || ' ' || quote_ident(r.rulename), pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
  FROM pg_rewrite r JOIN rel ON rel.oid = r.ev_class WHERE r.rulename <> '_RETURN'`,
  },
  {
    of: "pg_policy",
    sql: `SELECT 'policy', rel.q || ' ' || quote_ident(p.polname), concat_ws(' ', p.polcmd, CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
    (SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY r.rolname) FROM unnest(p.polroles) AS o LEFT JOIN pg_roles r ON r.oid = o),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p JOIN rel ON rel.oid = p.polrelid`,
  },
  {
    of: "pg_type",
    sql: `SELECT CASE typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range' END, q, concat_ws(' ', 'owner ' || typowner::regrole,
    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = typ.oid),
    CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END,
    (SELECT 'collate ' || typ.typcollation::regcollation FROM pg_type b WHERE b.oid = typ.typbasetype AND b.typcollation <> typ.typcollation), CASE WHEN typnotnull THEN 'not null' END, 'default ' || typdefault,
    (SELECT concat_ws(' ', rngsubtype::regtype, rngmultitypid::regtype, rngsubdiff, rngcanonical) FROM pg_range WHERE rngtypid = typ.oid))
  FROM typ`,
  },
  {
    of: "pg_default_acl",
    sql: `SELECT 'default privileges', coalesce(ns.q, '') || ' ' || d.defaclrole::regrole || ' ' || d.defaclobjtype::text || ' ' || coalesce(quote_ident(g.rolname), 'PUBLIC'),
  string_agg(a.privilege_type, ',' ORDER BY a.privilege_type)
  FROM pg_default_acl d LEFT JOIN ns ON ns.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
  WHERE (d.defaclnamespace = 0 OR ns.oid IS NOT NULL) AND a.grantee <> d.defaclrole
    AND NOT (a.grantee <> 0 AND EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = d.defaclrole AND m.member = a.grantee))
  GROUP BY 1, 2`,
  },
  {
    of: "pg_default_acl",
    sql: `SELECT 'default privileges', d.defaclrole::regrole || ' ' || d.defaclobjtype::text || ' PUBLIC', 'none'
  FROM pg_default_acl d WHERE d.defaclnamespace = 0 AND d.defaclobjtype IN ('f', 'T')
    AND NOT EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee = 0)`,
  },
  {
    of: "pg_statistic_ext",
    sql: `SELECT 'statistics', ns.q || '.' || quote_ident(s.stxname), pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN ns ON ns.oid = s.stxnamespace`,
  },
  {
    of: "pg_extension",
    sql: `SELECT 'extension', quote_ident(e.extname), concat_ws(' ', e.extversion, 'in', quote_ident(n.nspname))
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace JOIN pg_roles r ON r.oid = e.extowner WHERE NOT r.rolsuper`,
  },
];

/** What few schemas have, by system catalogue: (class, oid, definition); PostgreSQL itself names them. */
export const rareEntries: Readonly<Record<string, string>> = {
  pg_operator: `SELECT 'pg_operator'::regclass AS class, o.oid, concat_ws(' ', o.oprcode, o.oprresult::regtype, o.oprcom::regoperator, o.oprnegate::regoperator,
    o.oprrest, o.oprjoin, CASE WHEN o.oprcanmerge THEN 'merges' END, CASE WHEN o.oprcanhash THEN 'hashes' END) AS definition
  FROM pg_operator o JOIN ns ON ns.oid = o.oprnamespace`,
  pg_opclass: `SELECT 'pg_opclass'::regclass, o.oid, concat_ws(' ', o.opcintype::regtype, nullif(o.opckeytype, 0)::regtype, CASE WHEN o.opcdefault THEN 'default' END)
  FROM pg_opclass o JOIN ns ON ns.oid = o.opcnamespace`,
  pg_opfamily: `SELECT 'pg_opfamily'::regclass, o.oid, concat_ws(' ',
    (SELECT string_agg(concat_ws(' ', m.amopstrategy, m.amopopr::regoperator, m.amoppurpose), ', ' ORDER BY m.amopstrategy, m.amopopr::regoperator::text) FROM pg_amop m WHERE m.amopfamily = o.oid),
    (SELECT string_agg(concat_ws(' ', m.amprocnum, m.amproc::regprocedure), ', ' ORDER BY m.amprocnum, m.amproc::regprocedure::text) FROM pg_amproc m WHERE m.amprocfamily = o.oid))
  FROM pg_opfamily o JOIN ns ON ns.oid = o.opfnamespace`,
  pg_collation: `SELECT 'pg_collation'::regclass, o.oid, concat_ws(' ', o.collprovider, o.collisdeterministic, o.collcollate, o.collctype,
    coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale'), to_jsonb(o) ->> 'collicurules')
  FROM pg_collation o JOIN ns ON ns.oid = o.collnamespace`,
  pg_conversion: `SELECT 'pg_conversion'::regclass, o.oid, concat_ws(' ', o.conforencoding, o.contoencoding, o.conproc, o.condefault)
  FROM pg_conversion o JOIN ns ON ns.oid = o.connamespace`,
  pg_ts_config: `SELECT 'pg_ts_config'::regclass, o.oid, concat_ws(' ', (SELECT p.prsname FROM pg_ts_parser p WHERE p.oid = o.cfgparser),
    (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid))
  FROM pg_ts_config o JOIN ns ON ns.oid = o.cfgnamespace`,
  pg_ts_dict: `SELECT 'pg_ts_dict'::regclass, o.oid, concat_ws(' ', (SELECT t.tmplname FROM pg_ts_template t WHERE t.oid = o.dicttemplate), o.dictinitoption)
  FROM pg_ts_dict o JOIN ns ON ns.oid = o.dictnamespace`,
  pg_cast: `SELECT 'pg_cast'::regclass, o.oid, concat_ws(' ', o.castcontext, o.castmethod, nullif(o.castfunc, 0)::regprocedure) FROM pg_cast o WHERE o.oid >= 16384`,
  pg_language: `SELECT 'pg_language'::regclass, o.oid, concat_ws(' ', CASE WHEN o.lanpltrusted THEN 'trusted' END, o.lanplcallfoid::regproc) FROM pg_language o WHERE o.oid >= 16384`,
  pg_event_trigger: `SELECT 'pg_event_trigger'::regclass, o.oid, concat_ws(' ', o.evtevent, o.evtfoid::regprocedure, o.evtenabled, o.evttags::text) FROM pg_event_trigger o`,
  pg_publication: `SELECT 'pg_publication'::regclass, o.oid, concat_ws(' ', CASE WHEN o.puballtables THEN 'all tables' END, o.pubinsert, o.pubupdate, o.pubdelete, o.pubtruncate, o.pubviaroot,
    (SELECT string_agg(concat_ws(' ', m.prrelid::regclass, m.prattrs::text, pg_get_expr(m.prqual, m.prrelid)), ', ' ORDER BY m.prrelid::regclass::text) FROM pg_publication_rel m WHERE m.prpubid = o.oid),
    (SELECT string_agg(m.pnnspid::regnamespace::text, ', ' ORDER BY m.pnnspid::regnamespace::text) FROM pg_publication_namespace m WHERE m.pnpubid = o.oid))
  FROM pg_publication o`,
  pg_foreign_data_wrapper: `SELECT 'pg_foreign_data_wrapper'::regclass, o.oid, concat_ws(' ', nullif(o.fdwhandler, 0)::regproc, nullif(o.fdwvalidator, 0)::regproc, (SELECT string_agg(split_part(x, '=', 1), ',' ORDER BY x) FROM unnest(o.fdwoptions) x))
  FROM pg_foreign_data_wrapper o`,
  pg_foreign_server: `SELECT 'pg_foreign_server'::regclass, o.oid, concat_ws(' ', o.srvtype, o.srvversion, o.srvoptions::text) FROM pg_foreign_server o`,
};
