/**
 * What stands beside tables, types and functions, as rows (class, oid, owner, acl, acl_kind, attrs): operators, collations, casts,
 * text search, publications, event triggers, foreign servers. `attrs` holds the statements that make the object again (null:
 * nobody knows how), what drops it and how GRANT names it. Reads the `ns` of `objectsSql`; names are qualified only under an
 * empty search path.
 */
export const otherObjectsSql = `
  SELECT 'pg_operator'::regclass AS class, o.oid, o.oprowner AS owner, NULL::aclitem[] AS acl, NULL::"char" AS acl_kind,
    jsonb_build_array('CREATE OPERATOR ' || ns.q || '.' || o.oprname || ' (' || concat_ws(', ', 'FUNCTION = ' || o.oprcode,
      'LEFTARG = ' || nullif(o.oprleft, 0)::regtype, 'RIGHTARG = ' || nullif(o.oprright, 0)::regtype,
      (SELECT 'COMMUTATOR = OPERATOR(' || n.q || '.' || c.oprname || ')' FROM pg_operator c JOIN ns n ON n.oid = c.oprnamespace WHERE c.oid = o.oprcom),
      (SELECT 'NEGATOR = OPERATOR(' || n.q || '.' || c.oprname || ')' FROM pg_operator c JOIN ns n ON n.oid = c.oprnamespace WHERE c.oid = o.oprnegate),
      'RESTRICT = ' || nullif(o.oprrest::oid, 0)::regproc, 'JOIN = ' || nullif(o.oprjoin::oid, 0)::regproc,
      CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END) || ')') AS create
    FROM pg_operator o JOIN ns ON ns.oid = o.oprnamespace WHERE o.oprcode <> 0
  UNION ALL SELECT 'pg_opclass'::regclass, o.oid, o.opcowner, NULL, NULL, NULL FROM pg_opclass o JOIN ns ON ns.oid = o.opcnamespace
  UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, o.opfowner, NULL, NULL, NULL FROM pg_opfamily o JOIN ns ON ns.oid = o.opfnamespace
  UNION ALL SELECT 'pg_conversion'::regclass, o.oid, o.conowner, NULL, NULL, NULL FROM pg_conversion o JOIN ns ON ns.oid = o.connamespace
  UNION ALL SELECT 'pg_collation'::regclass, o.oid, o.collowner, NULL, NULL,
    jsonb_build_array('CREATE COLLATION ' || ns.q || '.' || quote_ident(o.collname) || ' (' || concat_ws(', ',
      'PROVIDER = ' || CASE o.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
      'LOCALE = ' || quote_literal(coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale')),
      'LC_COLLATE = ' || quote_literal(o.collcollate), 'LC_CTYPE = ' || quote_literal(o.collctype),
      CASE WHEN NOT o.collisdeterministic THEN 'DETERMINISTIC = false' END, 'RULES = ' || quote_literal(to_jsonb(o) ->> 'collicurules')) || ')')
    FROM pg_collation o JOIN ns ON ns.oid = o.collnamespace
  UNION ALL SELECT 'pg_ts_dict'::regclass, o.oid, o.dictowner, NULL, NULL,
    (SELECT jsonb_build_array('CREATE TEXT SEARCH DICTIONARY ' || ns.q || '.' || quote_ident(o.dictname) || ' (' ||
      concat_ws(', ', 'TEMPLATE = ' || n.nspname || '.' || quote_ident(t.tmplname), o.dictinitoption) || ')')
      FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE t.oid = o.dicttemplate)
    FROM pg_ts_dict o JOIN ns ON ns.oid = o.dictnamespace
  UNION ALL SELECT 'pg_ts_config'::regclass, o.oid, o.cfgowner, NULL, NULL,
    (SELECT jsonb_build_array('CREATE TEXT SEARCH CONFIGURATION ' || ns.q || '.' || quote_ident(o.cfgname) || ' (PARSER = ' || n.nspname || '.' || quote_ident(p.prsname) || ')')
      || coalesce((SELECT jsonb_agg('ALTER TEXT SEARCH CONFIGURATION ' || ns.q || '.' || quote_ident(o.cfgname) || ' ADD MAPPING FOR ' || m.alias || ' WITH ' || m.dicts ORDER BY m.alias)
        FROM (SELECT t.alias, string_agg(c.mapdict::regdictionary::text, ', ' ORDER BY c.mapseqno) AS dicts FROM pg_ts_config_map c
          JOIN ts_token_type(o.cfgparser) t ON t.tokid = c.maptokentype WHERE c.mapcfg = o.oid GROUP BY t.alias) m), '[]')
      FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace WHERE p.oid = o.cfgparser)
    FROM pg_ts_config o JOIN ns ON ns.oid = o.cfgnamespace
  UNION ALL SELECT 'pg_cast'::regclass, o.oid, NULL, NULL, NULL,
    jsonb_build_array(concat_ws(' ', 'CREATE CAST (' || o.castsource::regtype || ' AS ' || o.casttarget::regtype || ')',
      CASE o.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || o.castfunc::regprocedure WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
      CASE o.castcontext WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END))
    FROM pg_cast o WHERE o.oid >= 16384
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = o.oid AND d.deptype = 'i')
  UNION ALL SELECT 'pg_event_trigger'::regclass, o.oid, o.evtowner, NULL, NULL,
    jsonb_build_array(concat_ws(' ', 'CREATE EVENT TRIGGER ' || quote_ident(o.evtname) || ' ON ' || o.evtevent,
      'WHEN TAG IN (' || (SELECT string_agg(quote_literal(tag), ', ' ORDER BY tag) FROM unnest(o.evttags) tag) || ')', 'EXECUTE FUNCTION ' || o.evtfoid::regprocedure))
      || CASE o.evtenabled WHEN 'O' THEN '[]'::jsonb ELSE jsonb_build_array('ALTER EVENT TRIGGER ' || quote_ident(o.evtname) ||
        CASE o.evtenabled WHEN 'D' THEN ' DISABLE' WHEN 'R' THEN ' ENABLE REPLICA' ELSE ' ENABLE ALWAYS' END) END
    FROM pg_event_trigger o
  UNION ALL SELECT 'pg_publication'::regclass, o.oid, o.pubowner, NULL, NULL,
    jsonb_build_array(concat_ws(' ', 'CREATE PUBLICATION ' || quote_ident(o.pubname), CASE WHEN o.puballtables THEN 'FOR ALL TABLES' END,
      'FOR ' || nullif(concat_ws(', ',
        'TABLE ' || (SELECT string_agg(concat_ws(' ', m.prrelid::regclass,
            '(' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = m.prrelid AND a.attnum = ANY (m.prattrs::int2[])) || ')',
            'WHERE (' || pg_get_expr(m.prqual, m.prrelid) || ')'), ', ' ORDER BY m.prrelid::regclass::text) FROM pg_publication_rel m WHERE m.prpubid = o.oid),
        'TABLES IN SCHEMA ' || (SELECT string_agg(m.pnnspid::regnamespace::text, ', ' ORDER BY m.pnnspid::regnamespace::text) FROM pg_publication_namespace m WHERE m.pnpubid = o.oid)), ''),
      'WITH (publish = ' || quote_literal(concat_ws(', ', CASE WHEN o.pubinsert THEN 'insert' END, CASE WHEN o.pubupdate THEN 'update' END,
        CASE WHEN o.pubdelete THEN 'delete' END, CASE WHEN o.pubtruncate THEN 'truncate' END)) || CASE WHEN o.pubviaroot THEN ', publish_via_partition_root = true' ELSE '' END || ')'))
    FROM pg_publication o
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, o.oid, o.fdwowner, o.fdwacl, 'F', NULL FROM pg_foreign_data_wrapper o
  UNION ALL SELECT 'pg_foreign_server'::regclass, o.oid, o.srvowner, o.srvacl, 'S',
    jsonb_build_array(concat_ws(' ', 'CREATE SERVER ' || quote_ident(o.srvname), 'TYPE ' || quote_literal(o.srvtype), 'VERSION ' || quote_literal(o.srvversion),
      'FOREIGN DATA WRAPPER ' || (SELECT quote_ident(w.fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = o.srvfdw),
      'OPTIONS (' || (SELECT string_agg(quote_ident(option_name) || ' ' || quote_literal(option_value), ', ' ORDER BY n) FROM pg_options_to_table(o.srvoptions) WITH ORDINALITY AS given (option_name, option_value, n)) || ')'))
    FROM pg_foreign_server o`;
