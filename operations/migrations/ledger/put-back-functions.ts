/**
 * Functions that put archived data back where it came from: which rows belong to which, and one archive.
 *
 * - What somebody wrote since is never overwritten: `look_back` marks the archived rows whose place is still as the
 *   reversal left it, before a migration is applied again; `put_back` touches only those, and counts the others as conflicts.
 * - `note_after` keeps, for rows that a reversal changed in place, what it made of them: only by that can a later change be told.
 * - Without a key, a row that was changed is told by the columns that were not; among equal ones by their order on disk.
 *   Those that are still equal after that are the same in everything that is known of them.
 */
export const putBackFunctions = `
CREATE OR REPLACE FUNCTION rollback.archive_target(a rollback.archive) RETURNS oid LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass(format('%I.%I', (a).source_schema, (a).source_table)) AND c.relkind IN ('r', 'p')
$$;

-- Condition by which an archived row (x) and one of the table (t) are the same, by the archive's key; null: none can be told.
CREATE OR REPLACE FUNCTION rollback.archive_match(a rollback.archive, target oid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT CASE WHEN count(*) = cardinality((a).key) AND count(*) > 0 THEN string_agg(
    CASE WHEN (k.value ->> 'text')::boolean OR k.value ->> 'type' <> format_type(t.atttypid, t.atttypmod)
      THEN format('t.%1$I::text = x.%1$I::text', t.attname) ELSE format('t.%1$I = x.%1$I', t.attname) END, ' AND ') END
  FROM jsonb_array_elements((a).columns) AS k(value)
  JOIN pg_attribute t ON t.attrelid = target AND t.attname = k.value ->> 'name' AND t.attnum > 0 AND NOT t.attisdropped
  WHERE k.value ->> 'name' = ANY ((a).key)
$$;

-- Columns that archive and table have in common, without generated ones; value: the archived value as the table's type.
CREATE OR REPLACE FUNCTION rollback.archive_columns(a rollback.archive, target oid) RETURNS TABLE (name text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT t.attname::text, CASE WHEN (k.value ->> 'text')::boolean OR k.value ->> 'type' <> format_type(t.atttypid, t.atttypmod)
    THEN format('x.%I::text::%s', t.attname, format_type(t.atttypid, t.atttypmod)) ELSE format('x.%I', t.attname) END
  FROM jsonb_array_elements((a).columns) AS k(value)
  JOIN pg_attribute t ON t.attrelid = target AND t.attname = k.value ->> 'name' AND t.attnum > 0 AND NOT t.attisdropped
  WHERE t.attgenerated = '' ORDER BY t.attnum
$$;

CREATE OR REPLACE FUNCTION rollback.has_column(table_oid oid, column_name text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = table_oid AND attname = column_name AND attnum > 0 AND NOT attisdropped)
$$;

-- Lifts a forced policy, which would hide rows from the owner as well; tells whether there was one.
CREATE OR REPLACE FUNCTION rollback.lift_force(target oid) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF NOT coalesce((SELECT relforcerowsecurity FROM pg_class WHERE oid = target), false) THEN RETURN false; END IF;
  EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', target::regclass);
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION rollback.force_again(target oid, lifted boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF lifted THEN EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target::regclass); END IF;
END $$;

-- Finds out, for the rows of an archive without a key that were changed in place, which of the table's they are: sets "~part"
-- and "~row". False: no column is left that was not changed.
CREATE OR REPLACE FUNCTION rollback.map_rows(a rollback.archive, target oid) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  archived regclass := format('rollback.%I', a.name)::regclass;
  has_after boolean := rollback.has_column(archived, '~after');
  each record; changed boolean; mine text[] := '{}'; theirs text[] := '{}';
BEGIN
  IF a.lost IS NULL AND NOT has_after THEN RETURN false; END IF;
  EXECUTE format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS "~part" oid, ADD COLUMN IF NOT EXISTS "~row" tid', archived);
  FOR each IN SELECT c.name FROM rollback.archive_columns(a, target) c WHERE NOT coalesce(c.name = ANY (a.lost), false) LOOP
    changed := false;
    IF a.lost IS NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM %s x WHERE x."~after" IS NOT NULL AND to_jsonb(x) -> %2$L IS DISTINCT FROM x."~after" -> %2$L)',
        archived, each.name) INTO changed;
    END IF;
    CONTINUE WHEN changed;
    mine := mine || format('x.%I::text', each.name);
    theirs := theirs || format('t.%I::text', each.name);
  END LOOP;
  IF mine = '{}' THEN RETURN false; END IF;
  EXECUTE format('UPDATE %1$s x SET "~part" = NULL, "~row" = NULL', archived);
  EXECUTE format('UPDATE %1$s x SET "~part" = found.part, "~row" = found.at
    FROM (SELECT x.ctid AS id, ROW(%2$s)::text AS r, row_number() OVER (PARTITION BY ROW(%2$s)::text ORDER BY x.ctid) AS n FROM %1$s x WHERE %3$s) AS kept
    JOIN (SELECT t.tableoid AS part, t.ctid AS at, ROW(%4$s)::text AS r,
      row_number() OVER (PARTITION BY ROW(%4$s)::text ORDER BY t.tableoid, t.ctid) AS n FROM %5$s t) AS found USING (r, n)
    WHERE x.ctid = kept.id', archived, array_to_string(mine, ', '),
    CASE WHEN a.lost IS NULL THEN 'x."~after" IS NOT NULL' ELSE 'true' END, array_to_string(theirs, ', '), target::regclass);
  RETURN true;
END $$;

-- As archive_match, and where there is no key, for rows that were changed in place, by map_rows.
CREATE OR REPLACE FUNCTION rollback.row_match(a rollback.archive, target oid) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE match text := rollback.archive_match(a, target);
BEGIN
  IF match IS NULL AND rollback.map_rows(a, target) THEN match := '(t.tableoid = x."~part" AND t.ctid = x."~row")'; END IF;
  RETURN match;
END $$;

-- The rows of a table without a key as one text, whatever their order; null: it has one, and each row can be told.
CREATE OR REPLACE FUNCTION rollback.digest(a rollback.archive, target oid) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE result text;
BEGIN
  IF target IS NULL OR rollback.archive_match(a, target) IS NOT NULL THEN RETURN NULL; END IF;
  EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM %s t', target::regclass) INTO result;
  RETURN result;
END $$;

CREATE OR REPLACE FUNCTION rollback.note_after(of_run text, of_migration text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE a rollback.archive; target oid; match text; lifted boolean;
BEGIN
  FOR a IN SELECT * FROM rollback.archive c WHERE c.run = of_run AND c.migration = of_migration AND (c.lost IS NOT NULL OR c.how IN ('update', 'delete')) LOOP
    target := rollback.archive_target(a);
    lifted := rollback.lift_force(target);
    UPDATE rollback.archive c SET digest = rollback.digest(a, target) WHERE c.id = a.id;
    -- Without a key the trigger has noted it, which saw the row before and after.
    match := CASE WHEN a.lost IS NULL THEN rollback.archive_match(a, target) ELSE rollback.row_match(a, target) END;
    IF match IS NOT NULL AND a.how <> 'drop' THEN
      EXECUTE format('ALTER TABLE rollback.%I ADD COLUMN IF NOT EXISTS "~after" jsonb', a.name);
      EXECUTE format('UPDATE rollback.%I x SET "~after" = to_jsonb(t) FROM %s t WHERE %s', a.name, target::regclass, match);
    END IF;
    PERFORM rollback.force_again(target, lifted);
  END LOOP;
END $$;

-- The archives of a migration's last reversal that nobody has put back yet, the last made first.
CREATE OR REPLACE FUNCTION rollback.pending_archives(of_migration text) RETURNS SETOF rollback.archive LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT a FROM rollback.archive a WHERE a.migration = of_migration AND a.restored_at IS NULL AND a.rows > 0
    AND a.run = (SELECT l.run FROM rollback.archive l WHERE l.migration = of_migration ORDER BY l.id DESC LIMIT 1)
  ORDER BY a.id DESC
$$;

CREATE OR REPLACE FUNCTION rollback.look_back(a rollback.archive) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE
  target oid := rollback.archive_target(a);
  match text; untouched text; same text; lost text[];
  lifted boolean := rollback.lift_force(target);
  has_after boolean := rollback.has_column(format('rollback.%I', a.name)::regclass, '~after');
BEGIN
  EXECUTE format('ALTER TABLE rollback.%I ADD COLUMN IF NOT EXISTS "~untouched" boolean', a.name);
  match := rollback.row_match(a, target);
  -- With several statements on a table without a key, rows cannot be followed; but when nothing was written, nothing was.
  IF target IS NULL OR a.digest = rollback.digest(a, target) THEN untouched := 'true';
  ELSIF match IS NULL THEN untouched := 'false';
  ELSIF a.how IN ('update', 'delete', 'retype') AND has_after THEN
    SELECT string_agg(format('to_jsonb(t) -> %1$L IS NOT DISTINCT FROM x."~after" -> %1$L', c.name), ' AND ') INTO same
    FROM rollback.archive_columns(a, target) c WHERE a.lost IS NULL OR c.name = ANY (a.lost);
    untouched := CASE WHEN same IS NULL THEN 'false' ELSE format('CASE WHEN x."~after" IS NULL THEN NOT EXISTS (SELECT FROM %1$s t WHERE %2$s)
      ELSE EXISTS (SELECT FROM %1$s t WHERE %2$s AND %3$s) END', target::regclass, match, same) END;
  ELSIF a.how IN ('update', 'retype') THEN untouched := 'false';
  ELSIF a.lost IS NOT NULL THEN
    SELECT array_agg(l) INTO lost FROM unnest(a.lost) AS l WHERE rollback.has_column(target, l);
    untouched := CASE WHEN lost IS NULL THEN 'true' ELSE format('EXISTS (SELECT FROM %s t WHERE %s AND num_nonnulls(%s) = 0)',
      target::regclass, match, (SELECT string_agg(format('t.%I', l), ', ') FROM unnest(lost) AS l)) END;
  ELSE untouched := format('NOT EXISTS (SELECT FROM %s t WHERE %s)', target::regclass, match);
  END IF;
  EXECUTE format('UPDATE rollback.%I x SET "~untouched" = %s', a.name, untouched);
  PERFORM rollback.force_again(target, lifted);
END $$;

-- Puts one archive back; look_back must have marked it, and the target must be silent. overwrite: also where somebody has written since.
CREATE OR REPLACE FUNCTION rollback.put_back(a rollback.archive, overwrite boolean) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE
  target oid := rollback.archive_target(a);
  has_after boolean := rollback.has_column(format('rollback.%I', a.name)::regclass, '~after');
  match text; names text; named text; vals text; differs text; sets text; free text; each record;
  gone_rows text; missing bigint; conflicts jsonb := '[]';
  inserted bigint := 0; updated bigint := 0; same bigint := 0; conflict bigint := 0;
BEGIN
  IF target IS NULL THEN RETURN jsonb_build_object('problem', format('there is no table %I.%I', a.source_schema, a.source_table)); END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target::regclass);
  match := rollback.row_match(a, target);
  SELECT string_agg(quote_ident(c.name), ', '), string_agg(format('t.%I', c.name), ', '), string_agg(c.value, ', '),
    string_agg(format('%1$I = %2$s', c.name, c.value), ', ') FILTER (WHERE NOT c.name = ANY (a.key)),
    string_agg(format('t.%1$I::text IS DISTINCT FROM (%2$s)::text', c.name, c.value), ' OR ')
  INTO names, named, vals, sets, differs FROM rollback.archive_columns(a, target) c
  WHERE a.lost IS NULL OR c.name = ANY (a.lost);
  IF names IS NULL THEN
    RETURN jsonb_build_object('problem', format('%I.%I has none of the archived columns', a.source_schema, a.source_table));
  END IF;
  IF match IS NULL AND (a.lost IS NOT NULL OR a.how = 'update') THEN
    RETURN jsonb_build_object('problem', format('%I.%I has neither a key nor other columns by which its rows can be told apart', a.source_schema, a.source_table));
  END IF;
  -- A column whose name another one had meanwhile looked written to; where it holds nothing, nothing can be lost.
  free := format('(x."~untouched" OR %L%s)', overwrite,
    CASE WHEN a.lost IS NOT NULL AND a.how = 'drop' THEN ' OR num_nonnulls(' || named || ') = 0' ELSE '' END);
  IF match IS NOT NULL THEN
    EXECUTE format('SELECT count(*) FILTER (WHERE NOT (%3$s)), count(*) FILTER (WHERE (%3$s) AND NOT %4$s)
      FROM rollback.%1$I x JOIN %2$s t ON %5$s', a.name, target::regclass, differs, free, match) INTO same, conflict;
    IF conflict > 0 THEN
      EXECUTE format('SELECT jsonb_agg(k) FROM (SELECT jsonb_build_object(%6$s) AS k FROM rollback.%1$I x JOIN %2$s t ON %5$s
        WHERE (%3$s) AND NOT %4$s LIMIT 5) AS few', a.name, target::regclass, differs, free, match,
        (SELECT string_agg(format('%1$L, x.%1$I', k), ', ') FROM unnest(a.key) AS k)) INTO conflicts;
    END IF;
    IF sets IS NOT NULL THEN
      EXECUTE format('UPDATE %2$s t SET %6$s FROM rollback.%1$I x WHERE %5$s AND (%3$s) AND %4$s',
        a.name, target::regclass, differs, free, match, sets);
      GET DIAGNOSTICS updated = ROW_COUNT;
    END IF;
  END IF;
  IF a.lost IS NULL AND (has_after OR a.how <> 'update') THEN
    -- Rows that were changed in place and are not there any more were deleted by somebody since.
    gone_rows := CASE WHEN has_after THEN 'x."~after" IS NULL' ELSE 'true' END;
    IF a.key <> '{}' AND match IS NOT NULL THEN
      EXECUTE format('SELECT count(*) FROM rollback.%1$I x WHERE %4$s AND NOT EXISTS (SELECT FROM %2$s t WHERE %3$s)',
        a.name, target::regclass, match, gone_rows) INTO missing;
      -- What is unique besides the key may be taken by a row that was written since, or that the migration made anew.
      EXECUTE format('INSERT INTO %2$s (%3$s) OVERRIDING SYSTEM VALUE SELECT %4$s FROM rollback.%1$I x
        WHERE %6$s AND NOT EXISTS (SELECT FROM %2$s t WHERE %5$s) ON CONFLICT DO NOTHING', a.name, target::regclass, names, vals, match, gone_rows);
      GET DIAGNOSTICS inserted = ROW_COUNT;
      conflict := conflict + missing - inserted;
    ELSE
      EXECUTE format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM (
          SELECT x.*, row_number() OVER (PARTITION BY ROW(%3$s)::text) AS "~nth" FROM rollback.%4$I x WHERE %6$s) x
        WHERE NOT EXISTS (SELECT FROM (SELECT ROW(%5$s)::text AS r, count(*) AS n FROM %1$s t GROUP BY 1) AS have
          WHERE have.r = ROW(%3$s)::text AND have.n >= x."~nth")', target::regclass, names, vals, a.name, named, gone_rows);
      GET DIAGNOSTICS inserted = ROW_COUNT;
      EXECUTE format('SELECT %s + count(*) - %s FROM rollback.%I x WHERE %s', same, inserted, a.name, gone_rows) INTO same;
    END IF;
  END IF;
  -- A sequence that was made anew would give out numbers that are taken again.
  FOR each IN SELECT c.name, pg_get_serial_sequence(format('%I.%I', a.source_schema, a.source_table), c.name) AS seq
    FROM rollback.archive_columns(a, target) c LOOP
    CONTINUE WHEN each.seq IS NULL OR inserted = 0;
    EXECUTE format('SELECT setval(%1$L, greatest(s.last_value, m.most)) FROM %1$s s, (SELECT max(t.%2$I)::bigint AS most FROM %3$s t) m
      WHERE m.most >= s.last_value', each.seq, each.name, target::regclass);
  END LOOP;
  RETURN jsonb_build_object('inserted', inserted, 'updated', updated, 'same', same, 'conflicts', conflict,
    'gone', a.rows - same - conflict - updated - inserted, 'examples', coalesce(conflicts, '[]'));
END $$;
`;
