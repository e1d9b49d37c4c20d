/**
 * Functions that keep what a reversal destroys, inside the transaction that destroys it. They run as the operator, who
 * has the owner's rights by membership; nobody else may call them.
 *
 * - `resolve` looks a name up as the owner would, in the search path of the moment: `"$user"` in it means another schema
 *   for the operator. Everything else runs with a fixed search path and gets object ids.
 * - Columns of types outside pg_catalog are archived as text, as a column of an application's enum would keep the enum
 *   from being dropped.
 * - `keep` copies before a statement (DROP, TRUNCATE, ALTER TYPE). `watch` sets triggers around a statement (DELETE,
 *   UPDATE): they see exactly the rows it changes, those that foreign keys reach by cascade included.
 * - `row_security = off` makes a policy that would hide rows an error; forced policies are lifted for the copy.
 */
export const archiveFunctions = `
CREATE OR REPLACE FUNCTION rollback.resolve(kind text, name text, owner text) RETURNS oid LANGUAGE plpgsql AS $$
DECLARE found oid;
BEGIN
  PERFORM pg_catalog.set_config('role', owner, true);
  IF kind = 'table' THEN found := pg_catalog.to_regclass(name);
  ELSIF kind = 'schema' THEN found := pg_catalog.to_regnamespace(name);
  ELSIF kind = 'extension' THEN
    SELECT e.oid INTO found FROM pg_catalog.pg_extension e WHERE pg_catalog.quote_ident(e.extname) = name OR e.extname = name;
  ELSE found := pg_catalog.to_regtype(name);
  END IF;
  PERFORM pg_catalog.set_config('role', 'none', true);
  RETURN found;
END $$;

CREATE OR REPLACE FUNCTION rollback.archived_columns(source oid, only_columns text[], OUT list text, OUT columns jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT string_agg(quote_ident(attname)
      || CASE WHEN own_type THEN '::text' WHEN own_collation THEN ' COLLATE "default"' ELSE '' END
      || ' AS ' || quote_ident(attname), ', ' ORDER BY attnum),
    jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, atttypmod),
      'text', own_type, 'generated', attgenerated <> '', 'identity', attidentity) ORDER BY attnum)
  FROM (
    SELECT a.*, t.typnamespace <> 'pg_catalog'::regnamespace AS own_type,
      coalesce(c.collnamespace <> 'pg_catalog'::regnamespace, false) AS own_collation
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation c ON c.oid = a.attcollation
    WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
      AND (only_columns IS NULL OR a.attname = ANY (only_columns))
  ) AS kept
$$;

CREATE OR REPLACE FUNCTION rollback.key_columns(source oid) RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT coalesce((
    SELECT array_agg(a.attname::text ORDER BY k.n)
    FROM (
      SELECT i.indrelid, (i.indkey::int2[])[0:i.indnkeyatts - 1] AS attnums FROM pg_index i
      WHERE i.indrelid = source AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM pg_attribute n WHERE n.attrelid = source AND NOT n.attnotnull
          AND n.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
      ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1
    ) AS chosen
    CROSS JOIN LATERAL unnest(chosen.attnums) WITH ORDINALITY AS k(attnum, n)
    JOIN pg_attribute a ON a.attrelid = source AND a.attnum = k.attnum
  ), '{}')
$$;

CREATE OR REPLACE FUNCTION rollback.new_archive(source oid, how text, only_columns text[], migration text, run text)
RETURNS rollback.archive LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  number bigint := nextval('rollback.archive_number');
  key_list text[] := rollback.key_columns(source);
  -- Without a key the whole row is what tells it apart.
  wanted text[] := CASE WHEN only_columns IS NULL OR key_list = '{}' THEN NULL ELSE key_list || only_columns END;
  made rollback.archive;
BEGIN
  INSERT INTO rollback.archive (id, name, source_schema, source_table, how, columns, lost, key, migration, run)
  SELECT number, 'archive_' || number, n.nspname, c.relname, how,
    coalesce((rollback.archived_columns(source, wanted)).columns, '[]'), only_columns, key_list, migration, run
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = source
  RETURNING * INTO made;
  EXECUTE format('CREATE TABLE rollback.%I AS SELECT %s FROM %s WITH NO DATA',
    made.name, (rollback.archived_columns(source, wanted)).list, source::regclass);
  RETURN made;
END $$;

CREATE OR REPLACE FUNCTION rollback.keep(source oid, how text, only_columns text[], with_children boolean, migration text, run text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE
  made rollback.archive;
  kind "char"; forced boolean; any_row boolean; kept bigint;
  rows_of text;
BEGIN
  SELECT relkind, relforcerowsecurity INTO kind, forced FROM pg_class WHERE oid = source;
  IF kind IS NULL OR kind NOT IN ('r', 'p') THEN RETURN; END IF;
  rows_of := CASE WHEN kind = 'p' OR with_children THEN '' ELSE 'ONLY ' END || source::regclass;
  EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', rows_of);
  IF forced THEN EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', source::regclass); END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s)', rows_of) INTO any_row;
  IF any_row THEN
    made := rollback.new_archive(source, how, only_columns, migration, run);
    EXECUTE format('INSERT INTO rollback.%I SELECT %s FROM %s', made.name,
      (rollback.archived_columns(source,
        CASE WHEN only_columns IS NULL OR made.key = '{}' THEN NULL ELSE made.key || only_columns END)).list, rows_of);
    GET DIAGNOSTICS kept = ROW_COUNT;
    UPDATE rollback.archive a SET rows = kept, bytes = pg_total_relation_size(format('rollback.%I', made.name)::regclass)
      WHERE a.id = made.id;
  END IF;
  IF forced THEN EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', source::regclass); END IF;
END $$;

-- Tables and columns that go when an object is dropped with CASCADE; col 0 means the whole table.
CREATE OR REPLACE FUNCTION rollback.falls_with(class oid, object oid) RETURNS TABLE (rel oid, col integer)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  WITH RECURSIVE falls(classid, objid, objsubid) AS (
    SELECT class, object, 0
    UNION
    SELECT d.classid, d.objid, d.objsubid
    FROM falls f JOIN pg_depend d ON d.refclassid = f.classid AND d.refobjid = f.objid
      AND (f.objsubid = 0 OR d.refobjsubid = f.objsubid)
  )
  SELECT f.objid, f.objsubid FROM falls f JOIN pg_class c ON c.oid = f.objid
  WHERE f.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p')
    -- A partition's rows are read through its root, a column's with the whole table.
    AND NOT EXISTS (SELECT FROM pg_inherits i JOIN falls p ON p.objid = i.inhparent AND p.objsubid = 0
      WHERE c.relispartition AND i.inhrelid = f.objid AND p.classid = f.classid)
    AND NOT (f.objsubid <> 0 AND EXISTS (SELECT FROM falls w
      WHERE w.classid = f.classid AND w.objid = f.objid AND w.objsubid = 0))
$$;

CREATE OR REPLACE FUNCTION rollback.keep_falling(class oid, object oid, migration text, run text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE each record;
BEGIN
  FOR each IN
    SELECT f.rel, CASE WHEN max(f.col) = 0 THEN NULL ELSE array_agg(a.attname::text ORDER BY f.col) END AS lost
    FROM rollback.falls_with(class, object) f
    LEFT JOIN pg_attribute a ON a.attrelid = f.rel AND a.attnum = f.col AND f.col > 0
    GROUP BY f.rel ORDER BY f.rel
  LOOP
    PERFORM rollback.keep(each.rel, 'drop', each.lost, false, migration, run);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION rollback.keep_table(source oid, how text, cascades boolean, migration text, run text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE each oid;
BEGIN
  IF source IS NULL THEN RETURN; END IF;
  IF how = 'truncate' THEN
    FOR each IN
      WITH RECURSIVE reached(rel) AS (
        SELECT source
        UNION SELECT next.rel FROM reached r CROSS JOIN LATERAL (
          SELECT c.conrelid FROM pg_constraint c WHERE c.confrelid = r.rel AND c.contype = 'f' AND cascades
          UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.rel
        ) AS next(rel)
      )
      SELECT rel FROM reached WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhrelid = reached.rel AND c.relispartition AND i.inhparent IN (SELECT rel FROM reached)) ORDER BY rel
    LOOP
      PERFORM rollback.keep(each, how, NULL, false, migration, run);
    END LOOP;
  ELSIF cascades THEN
    PERFORM rollback.keep_falling('pg_class'::regclass, source, migration, run);
  ELSE
    PERFORM rollback.keep(source, how, NULL, false, migration, run);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION rollback.keep_columns(source oid, how text, columns text[], migration text, run text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE present text[];
BEGIN
  SELECT array_agg(attname::text) INTO present FROM pg_attribute
    WHERE attrelid = source AND attname = ANY (columns) AND attnum > 0 AND NOT attisdropped;
  IF present IS NOT NULL THEN PERFORM rollback.keep(source, how, present, true, migration, run); END IF;
END $$;

CREATE OR REPLACE FUNCTION rollback.keep_object(kind text, object oid, migration text, run text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF object IS NOT NULL THEN
    PERFORM rollback.keep_falling(CASE kind WHEN 'schema' THEN 'pg_namespace'::regclass
      WHEN 'extension' THEN 'pg_extension'::regclass ELSE 'pg_type'::regclass END, object, migration, run);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION rollback.capture() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
  target text := TG_ARGV[0];
  list text;
BEGIN
  -- Closed archives have their rows counted; a trigger that could not be dropped yet finds that here.
  IF EXISTS (SELECT FROM rollback.archive a WHERE a.name = target AND a.rows IS NOT NULL) THEN RETURN NULL; END IF;
  list := (rollback.archived_columns(TG_RELID, NULL)).list;
  IF TG_LEVEL = 'STATEMENT' THEN
    EXECUTE format('INSERT INTO rollback.%I SELECT %s FROM old_rows', target, list);
  ELSIF TG_ARGV[1] = 'after' THEN
    EXECUTE format('INSERT INTO rollback.%I SELECT %s, $2 FROM (SELECT ($1).*) AS old_rows', target, list)
      USING OLD, CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) END;
  ELSE
    EXECUTE format('INSERT INTO rollback.%I SELECT %s FROM (SELECT ($1).*) AS old_rows', target, list) USING OLD;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION rollback.watch(source oid, how text, migration text, run text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE each record; made rollback.archive; action text; level text; keyless boolean;
BEGIN
  IF source IS NULL THEN RETURN; END IF;
  FOR each IN
    WITH RECURSIVE reached(rel) AS (
      SELECT source
      UNION SELECT next.rel FROM reached r CROSS JOIN LATERAL (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.rel
        UNION ALL SELECT c.conrelid FROM pg_constraint c WHERE c.confrelid = r.rel AND c.contype = 'f'
          AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
        -- Tables that the functions of its triggers speak of.
        UNION ALL SELECT c.oid FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
          JOIN pg_class c ON c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')
            AND p.prosrc ~* ('\\m' || regexp_replace(c.relname, '([^[:alnum:]_])', '\\\\\\1', 'g') || '\\M')
          JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'rollback' AND n.nspname !~ '^(pg_|information_schema)'
        WHERE t.tgrelid = r.rel AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgname NOT LIKE '~rollback\\_%'
      ) AS next(rel)
    )
    SELECT r.rel, c.relkind = 'r' AND NOT c.relispartition AND NOT c.relhassubclass
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = r.rel) AS simple
    FROM reached r JOIN pg_class c ON c.oid = r.rel
    WHERE c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_inherits i
      WHERE c.relispartition AND i.inhrelid = r.rel AND i.inhparent IN (SELECT rel FROM reached))
    ORDER BY r.rel
  LOOP
    -- Watched already: two statements in one, e.g. inside WITH.
    CONTINUE WHEN EXISTS (SELECT FROM pg_trigger t JOIN rollback.archive a
      ON t.tgname IN ('~rollback_delete_' || a.id, '~rollback_update_' || a.id) WHERE t.tgrelid = each.rel AND a.rows IS NULL);
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', each.rel::regclass);
    made := rollback.new_archive(each.rel, how, NULL, migration, run);
    keyless := made.key = '{}';
    -- Without a key nobody but the trigger can tell what became of a row.
    IF keyless THEN EXECUTE format('ALTER TABLE rollback.%I ADD COLUMN "~after" jsonb', made.name); END IF;
    FOREACH action IN ARRAY ARRAY['DELETE', 'UPDATE'] LOOP
      level := CASE WHEN each.simple AND NOT keyless THEN 'REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT' ELSE 'FOR EACH ROW' END;
      EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s EXECUTE FUNCTION rollback.capture(%L, %L)',
        '~rollback_' || lower(action) || '_' || made.id, action, each.rel::regclass, level, made.name,
        CASE WHEN keyless THEN 'after' ELSE '' END);
    END LOOP;
  END LOOP;
END $$;

-- Ends the watching: counts, forgets what stayed empty. With deferred constraints pending the triggers stay until the
-- end of the transaction.
CREATE OR REPLACE FUNCTION rollback.unwatch() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE each record; kept bigint;
BEGIN
  FOR each IN SELECT a.id, a.name FROM rollback.archive a WHERE a.rows IS NULL LOOP
    EXECUTE format('SELECT count(*) FROM rollback.%I', each.name) INTO kept;
    UPDATE rollback.archive a SET rows = kept, bytes = pg_total_relation_size(format('rollback.%I', each.name)::regclass)
      WHERE a.id = each.id;
  END LOOP;
  FOR each IN
    SELECT t.tgname, t.tgrelid::regclass AS rel FROM pg_trigger t
    WHERE t.tgname LIKE '~rollback\\_%' AND t.tgparentid = 0
  LOOP
    BEGIN
      EXECUTE format('DROP TRIGGER %I ON %s', each.tgname, each.rel);
    EXCEPTION WHEN object_in_use THEN NULL;
    END;
  END LOOP;
  FOR each IN SELECT a.id, a.name FROM rollback.archive a WHERE a.rows = 0 AND NOT EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgname IN ('~rollback_delete_' || a.id, '~rollback_update_' || a.id))
  LOOP
    EXECUTE format('DROP TABLE rollback.%I', each.name);
    DELETE FROM rollback.archive a WHERE a.id = each.id;
  END LOOP;
END $$;
`;
