/**
 * Functions that put archived data back where it came from. Part of version 3 of the ledger.
 *
 * - What somebody wrote since is never overwritten: `look_back` marks the archived rows whose place is still as the
 *   reversal left it, before a migration is applied again; `put_back` touches only those, and counts the others as conflicts.
 * - `note_after` keeps, for rows that a reversal changed in place, what it made of them: only by that can a later change be told.
 * - Triggers of the application do not fire: they would change what was archived, or do a second time what was done then.
 */
export const putBackFunctions = `
ALTER TABLE rollback.archive ADD COLUMN restored_at timestamptz, ADD COLUMN restored jsonb;
COMMENT ON COLUMN rollback.archive.restored IS 'What was put back when: rows inserted, updated, the same already, in conflict.';

CREATE FUNCTION rollback.archive_target(a rollback.archive) RETURNS oid LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass(format('%I.%I', (a).source_schema, (a).source_table)) AND c.relkind IN ('r', 'p')
$$;

-- Condition by which an archived row (x) and one of the table (t) are the same, by the archive's key; null: none can be told.
CREATE FUNCTION rollback.archive_match(a rollback.archive, target oid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT CASE WHEN count(*) = cardinality((a).key) AND count(*) > 0 THEN string_agg(
    CASE WHEN (k.value ->> 'text')::boolean OR k.value ->> 'type' <> format_type(t.atttypid, t.atttypmod)
      THEN format('t.%1$I::text = x.%1$I::text', t.attname) ELSE format('t.%1$I = x.%1$I', t.attname) END, ' AND ') END
  FROM jsonb_array_elements((a).columns) AS k(value)
  JOIN pg_attribute t ON t.attrelid = target AND t.attname = k.value ->> 'name' AND t.attnum > 0 AND NOT t.attisdropped
  WHERE k.value ->> 'name' = ANY ((a).key)
$$;

-- Columns that archive and table have in common, without generated ones; value: the archived value as the table's type.
CREATE FUNCTION rollback.archive_columns(a rollback.archive, target oid) RETURNS TABLE (name text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT t.attname::text, CASE WHEN (k.value ->> 'text')::boolean OR k.value ->> 'type' <> format_type(t.atttypid, t.atttypmod)
    THEN format('x.%I::text::%s', t.attname, format_type(t.atttypid, t.atttypmod)) ELSE format('x.%I', t.attname) END
  FROM jsonb_array_elements((a).columns) AS k(value)
  JOIN pg_attribute t ON t.attrelid = target AND t.attname = k.value ->> 'name' AND t.attnum > 0 AND NOT t.attisdropped
  WHERE t.attgenerated = '' ORDER BY t.attnum
$$;

CREATE FUNCTION rollback.has_column(table_oid oid, column_name text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = table_oid AND attname = column_name AND attnum > 0 AND NOT attisdropped)
$$;

-- Lifts a forced policy, which would hide rows from the owner as well; tells whether there was one.
CREATE FUNCTION rollback.lift_force(target oid) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF NOT coalesce((SELECT relforcerowsecurity FROM pg_class WHERE oid = target), false) THEN RETURN false; END IF;
  EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', target::regclass);
  RETURN true;
END $$;

CREATE FUNCTION rollback.force_again(target oid, lifted boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF lifted THEN EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target::regclass); END IF;
END $$;

CREATE FUNCTION rollback.note_after(of_run text, of_migration text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE a rollback.archive; target oid; match text; lifted boolean;
BEGIN
  FOR a IN SELECT * FROM rollback.archive c WHERE c.run = of_run AND c.migration = of_migration AND c.how IN ('update', 'retype') LOOP
    target := rollback.archive_target(a);
    match := rollback.archive_match(a, target);
    CONTINUE WHEN match IS NULL;
    EXECUTE format('ALTER TABLE rollback.%I ADD COLUMN "~after" jsonb', a.name);
    lifted := rollback.lift_force(target);
    EXECUTE format('UPDATE rollback.%I x SET "~after" = to_jsonb(t) FROM %s t WHERE %s', a.name, target::regclass, match);
    PERFORM rollback.force_again(target, lifted);
  END LOOP;
END $$;

-- The archives of a migration's last reversal that nobody has put back yet, the last made first.
CREATE FUNCTION rollback.pending_archives(of_migration text) RETURNS SETOF rollback.archive LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT a FROM rollback.archive a WHERE a.migration = of_migration AND a.restored_at IS NULL AND a.rows > 0
    AND a.run = (SELECT l.run FROM rollback.archive l WHERE l.migration = of_migration ORDER BY l.id DESC LIMIT 1)
  ORDER BY a.id DESC
$$;

CREATE FUNCTION rollback.look_back(a rollback.archive) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE
  target oid := rollback.archive_target(a);
  match text; untouched text; same text; lost text[];
  lifted boolean := rollback.lift_force(target);
BEGIN
  EXECUTE format('ALTER TABLE rollback.%I ADD COLUMN IF NOT EXISTS "~untouched" boolean', a.name);
  match := rollback.archive_match(a, target);
  IF target IS NULL THEN untouched := 'true';
  ELSIF match IS NULL THEN untouched := 'false';
  ELSIF a.how IN ('update', 'retype') THEN
    SELECT string_agg(format('to_jsonb(t) -> %1$L IS NOT DISTINCT FROM x."~after" -> %1$L', c.name), ' AND ') INTO same
    FROM rollback.archive_columns(a, target) c WHERE a.lost IS NULL OR c.name = ANY (a.lost);
    untouched := CASE WHEN same IS NULL OR NOT rollback.has_column(format('rollback.%I', a.name)::regclass, '~after') THEN 'false'
      ELSE format('EXISTS (SELECT FROM %s t WHERE %s AND %s)', target::regclass, match, same) END;
  ELSIF a.lost IS NOT NULL THEN
    SELECT array_agg(l) INTO lost FROM unnest(a.lost) AS l WHERE rollback.has_column(target, l);
    untouched := CASE WHEN lost IS NULL THEN 'true' ELSE format('EXISTS (SELECT FROM %s t WHERE %s AND num_nonnulls(%s) = 0)',
      target::regclass, match, (SELECT string_agg(format('t.%I', l), ', ') FROM unnest(lost) AS l)) END;
  ELSE untouched := format('NOT EXISTS (SELECT FROM %s t WHERE %s)', target::regclass, match);
  END IF;
  EXECUTE format('UPDATE rollback.%I x SET "~untouched" = %s', a.name, untouched);
  PERFORM rollback.force_again(target, lifted);
END $$;

-- Puts one archive back; look_back must have marked it. overwrite: also where somebody has written since.
CREATE FUNCTION rollback.put_back(a rollback.archive, overwrite boolean) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE
  target oid := rollback.archive_target(a);
  match text; names text; named text; vals text; differs text; sets text; each record;
  lifted boolean; quiet name[]; conflicts jsonb := '[]';
  inserted bigint := 0; updated bigint := 0; same bigint := 0; conflict bigint := 0; gone bigint := 0;
BEGIN
  IF target IS NULL THEN RETURN jsonb_build_object('problem', format('there is no table %I.%I', a.source_schema, a.source_table)); END IF;
  match := rollback.archive_match(a, target);
  SELECT string_agg(quote_ident(c.name), ', '), string_agg(format('t.%I', c.name), ', '), string_agg(c.value, ', '),
    string_agg(format('%1$I = %2$s', c.name, c.value), ', ') FILTER (WHERE NOT c.name = ANY (a.key)),
    string_agg(format('t.%1$I::text IS DISTINCT FROM (%2$s)::text', c.name, c.value), ' OR ')
  INTO names, named, vals, sets, differs FROM rollback.archive_columns(a, target) c
  WHERE a.lost IS NULL OR c.name = ANY (a.lost);
  IF names IS NULL THEN
    RETURN jsonb_build_object('problem', format('%I.%I has none of the archived columns', a.source_schema, a.source_table));
  END IF;
  IF match IS NULL AND (a.lost IS NOT NULL OR a.how = 'update') THEN
    RETURN jsonb_build_object('problem', format('%I.%I has no primary key by which its rows can be told apart', a.source_schema, a.source_table));
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target::regclass);
  lifted := rollback.lift_force(target);
  SELECT array_agg(tgname) INTO quiet FROM pg_trigger
    WHERE tgrelid = target AND NOT tgisinternal AND tgenabled = 'O' AND tgname NOT LIKE '~rollback\\_%';
  FOR each IN SELECT unnest(quiet) AS tgname LOOP
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', target::regclass, each.tgname);
  END LOOP;
  IF match IS NULL THEN
    EXECUTE format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM (
        SELECT x.*, row_number() OVER (PARTITION BY ROW(%3$s)::text) AS "~nth" FROM rollback.%4$I x) x
      WHERE NOT EXISTS (SELECT FROM (SELECT ROW(%5$s)::text AS r, count(*) AS n FROM %1$s t GROUP BY 1) AS have
        WHERE have.r = ROW(%3$s)::text AND have.n >= x."~nth")', target::regclass, names, vals, a.name, named);
    GET DIAGNOSTICS inserted = ROW_COUNT;
    same := a.rows - inserted;
  ELSE
    EXECUTE format('SELECT count(*) FILTER (WHERE NOT (%3$s)), count(*) FILTER (WHERE (%3$s) AND NOT (x."~untouched" OR %4$L))
      FROM rollback.%1$I x JOIN %2$s t ON %5$s', a.name, target::regclass, differs, overwrite, match) INTO same, conflict;
    IF conflict > 0 THEN
      EXECUTE format('SELECT jsonb_agg(k) FROM (SELECT jsonb_build_object(%6$s) AS k FROM rollback.%1$I x JOIN %2$s t ON %5$s
        WHERE (%3$s) AND NOT (x."~untouched" OR %4$L) LIMIT 5) AS few', a.name, target::regclass, differs, overwrite, match,
        (SELECT string_agg(format('%1$L, x.%1$I', k), ', ') FROM unnest(a.key) AS k)) INTO conflicts;
    END IF;
    IF sets IS NOT NULL THEN
      EXECUTE format('UPDATE %2$s t SET %6$s FROM rollback.%1$I x WHERE %5$s AND (%3$s) AND (x."~untouched" OR %4$L)',
        a.name, target::regclass, differs, overwrite, match, sets);
      GET DIAGNOSTICS updated = ROW_COUNT;
    END IF;
    IF a.lost IS NOT NULL OR a.how = 'update' THEN
      gone := a.rows - same - conflict - updated;
    ELSE
      EXECUTE format('INSERT INTO %2$s (%3$s) OVERRIDING SYSTEM VALUE SELECT %4$s FROM rollback.%1$I x
        WHERE NOT EXISTS (SELECT FROM %2$s t WHERE %5$s)', a.name, target::regclass, names, vals, match);
      GET DIAGNOSTICS inserted = ROW_COUNT;
    END IF;
  END IF;
  -- A sequence that was made anew would give out numbers that are taken again.
  FOR each IN SELECT c.name, pg_get_serial_sequence(format('%I.%I', a.source_schema, a.source_table), c.name) AS seq
    FROM rollback.archive_columns(a, target) c LOOP
    CONTINUE WHEN each.seq IS NULL OR inserted = 0;
    EXECUTE format('SELECT setval(%1$L, greatest(s.last_value, m.most)) FROM %1$s s, (SELECT max(t.%2$I)::bigint AS most FROM %3$s t) m
      WHERE m.most >= s.last_value', each.seq, each.name, target::regclass);
  END LOOP;
  FOR each IN SELECT unnest(quiet) AS tgname LOOP
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', target::regclass, each.tgname);
  END LOOP;
  PERFORM rollback.force_again(target, lifted);
  RETURN jsonb_build_object('inserted', inserted, 'updated', updated, 'same', same, 'conflicts', conflict, 'gone', gone, 'examples', conflicts);
END $$;

-- Puts archives back, those first that others refer to: what fails for a foreign key is tried again after the rest.
CREATE FUNCTION rollback.put_back_all(ids bigint[], overwrite boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE a rollback.archive; result jsonb; waiting bigint[] := ids; again bigint[]; failed jsonb := '{}';
BEGIN
  -- A table with checks still to come could not have its triggers disabled.
  SET CONSTRAINTS ALL IMMEDIATE;
  LOOP
    again := '{}';
    FOR a IN SELECT c.* FROM rollback.archive c WHERE c.id = ANY (waiting) ORDER BY c.id DESC LOOP
      BEGIN
        result := rollback.put_back(a, overwrite);
        SET CONSTRAINTS ALL IMMEDIATE;
        IF result ? 'problem' THEN
          UPDATE rollback.archive c SET restored = result WHERE c.id = a.id;
        ELSE
          UPDATE rollback.archive c SET restored_at = now(), restored = result WHERE c.id = a.id;
          EXECUTE format('ALTER TABLE rollback.%I DROP COLUMN "~untouched"', a.name);
        END IF;
      EXCEPTION WHEN integrity_constraint_violation OR data_exception OR syntax_error_or_access_rule_violation THEN
        again := again || a.id;
        failed := failed || jsonb_build_object(a.id::text, SQLERRM);
      END;
    END LOOP;
    EXIT WHEN again = '{}' OR again = waiting;
    waiting := again;
  END LOOP;
  UPDATE rollback.archive c SET restored = jsonb_build_object('problem', failed ->> c.id::text) WHERE c.id = ANY (again);
END $$;

CREATE FUNCTION rollback.look_back_at(of_migration text) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS $$
  SELECT rollback.look_back(a) FROM rollback.pending_archives(of_migration) a
$$;

CREATE FUNCTION rollback.put_back_of(of_migration text, by_run text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE ids bigint[] := ARRAY(SELECT a.id FROM rollback.pending_archives(of_migration) a ORDER BY a.id DESC);
BEGIN
  PERFORM rollback.put_back_all(ids, false);
  UPDATE rollback.archive c SET restored = restored || jsonb_build_object('run', by_run) WHERE c.id = ANY (ids);
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rollback FROM PUBLIC;
`;
