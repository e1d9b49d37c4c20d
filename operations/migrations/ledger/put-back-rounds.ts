/**
 * Functions that put several archives back, in the order that their foreign keys allow.
 *
 * - Triggers of the application do not fire (`silence`): they would change what was archived, or do a second time what was
 *   done then.
 * - What fails for a foreign key is tried again after the rest. Rows that refer to each other in a circle go in together, with
 *   the foreign keys of their tables deferred meanwhile; those whose referred rows are not there are left out.
 * - `fill` comes before them, for a column that may not be null: its migration would fail on rows that have no value yet.
 */
export const putBackRounds = `
CREATE OR REPLACE FUNCTION rollback.silence(target oid) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE names name[]; each name;
BEGIN
  SELECT array_agg(tgname) INTO names FROM pg_trigger
    WHERE tgrelid = target AND NOT tgisinternal AND tgenabled = 'O' AND tgname NOT LIKE '~rollback\\_%';
  FOREACH each IN ARRAY coalesce(names, '{}') LOOP
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', target::regclass, each);
  END LOOP;
  RETURN jsonb_build_object('table', target, 'triggers', coalesce(to_jsonb(names), '[]'), 'forced', rollback.lift_force(target));
END $$;

CREATE OR REPLACE FUNCTION rollback.loud(silenced jsonb) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE target oid := (silenced ->> 'table')::oid; each text;
BEGIN
  FOR each IN SELECT jsonb_array_elements_text(silenced -> 'triggers') LOOP
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', target::regclass, each);
  END LOOP;
  PERFORM rollback.force_again(target, (silenced ->> 'forced')::boolean);
END $$;

-- After SET CONSTRAINTS ALL IMMEDIATE: constraints that wait for the end of the transaction by themselves do so again.
CREATE OR REPLACE FUNCTION rollback.constraints_as_made() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE names text;
BEGIN
  SELECT string_agg(DISTINCT format('%I.%I', n.nspname, c.conname), ', ') INTO names
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.condeferred AND c.conrelid <> 0;
  IF names IS NOT NULL THEN EXECUTE 'SET CONSTRAINTS ' || names || ' DEFERRED'; END IF;
END $$;

CREATE OR REPLACE FUNCTION rollback.make_deferrable(keys oid[], meanwhile boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE each record;
BEGIN
  FOR each IN SELECT k.conrelid, k.conname FROM pg_constraint k WHERE k.oid = ANY (keys) LOOP
    EXECUTE format('ALTER TABLE %s ALTER CONSTRAINT %I %s', each.conrelid::regclass, each.conname,
      CASE WHEN meanwhile THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE 'NOT DEFERRABLE' END);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION rollback.put_back_result(of_archive bigint, result jsonb) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE a rollback.archive;
BEGIN
  UPDATE rollback.archive c SET restored = result, restored_at = CASE WHEN result ? 'problem' THEN c.restored_at ELSE now() END
    WHERE c.id = of_archive RETURNING c.* INTO a;
  IF result ? 'problem' THEN RETURN; END IF;
  EXECUTE format('ALTER TABLE rollback.%I DROP COLUMN "~untouched", DROP COLUMN IF EXISTS "~part", DROP COLUMN IF EXISTS "~row"', a.name);
END $$;

-- Puts archives back together whose rows refer to each other. Returns why, by archive, for those that cannot be.
CREATE OR REPLACE FUNCTION rollback.put_back_together(ids bigint[], overwrite boolean) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  a rollback.archive; each record; silenced jsonb[]; keys oid[]; results jsonb; waiting bigint[] := ids; left_out bigint[]; failed jsonb := '{}';
  of_schema text; of_table text; why text;
BEGIN
  LOOP
    EXIT WHEN waiting = '{}';
    silenced := '{}';
    results := '{}';
    BEGIN
      -- No temporary table: a transaction with one cannot be prepared.
      keys := ARRAY(SELECT k.oid FROM pg_constraint k WHERE k.contype = 'f' AND NOT k.condeferrable AND k.conparentid = 0
        AND k.conrelid IN (SELECT rollback.archive_target(c) FROM rollback.archive c WHERE c.id = ANY (waiting)));
      PERFORM rollback.make_deferrable(keys, true);
      FOR each IN SELECT DISTINCT rollback.archive_target(c) AS target FROM rollback.archive c WHERE c.id = ANY (waiting) LOOP
        silenced := silenced || rollback.silence(each.target);
      END LOOP;
      SET CONSTRAINTS ALL DEFERRED;
      FOR a IN SELECT c.* FROM rollback.archive c WHERE c.id = ANY (waiting) ORDER BY c.id DESC LOOP
        results := results || jsonb_build_object(a.id::text, rollback.put_back(a, overwrite));
      END LOOP;
      SET CONSTRAINTS ALL IMMEDIATE;
      FOR each IN SELECT unnest(silenced) AS one LOOP PERFORM rollback.loud(each.one); END LOOP;
      PERFORM rollback.make_deferrable(keys, false);
      FOR each IN SELECT * FROM jsonb_each(results) LOOP PERFORM rollback.put_back_result(each.key::bigint, each.value); END LOOP;
      RETURN failed;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception OR syntax_error_or_access_rule_violation THEN
      GET STACKED DIAGNOSTICS of_schema = SCHEMA_NAME, of_table = TABLE_NAME, why = MESSAGE_TEXT;
      SELECT array_agg(c.id) INTO left_out FROM rollback.archive c
        WHERE c.id = ANY (waiting) AND c.source_schema = of_schema AND c.source_table = of_table;
      left_out := coalesce(left_out, waiting);
      SELECT failed || jsonb_object_agg(id::text, why) INTO failed FROM unnest(left_out) AS id;
      waiting := ARRAY(SELECT id FROM unnest(waiting) AS id WHERE NOT id = ANY (left_out));
    END;
  END LOOP;
  RETURN failed;
END $$;

CREATE OR REPLACE FUNCTION rollback.put_back_all(ids bigint[], overwrite boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE a rollback.archive; result jsonb; silenced jsonb; waiting bigint[] := ids; again bigint[]; failed jsonb := '{}'; in_circle boolean;
BEGIN
  -- A table with checks still to come could not have its triggers disabled.
  SET CONSTRAINTS ALL IMMEDIATE;
  LOOP
    again := '{}';
    in_circle := false;
    FOR a IN SELECT c.* FROM rollback.archive c WHERE c.id = ANY (waiting) ORDER BY c.id DESC LOOP
      BEGIN
        silenced := rollback.silence(rollback.archive_target(a));
        result := rollback.put_back(a, overwrite);
        SET CONSTRAINTS ALL IMMEDIATE;
        PERFORM rollback.loud(silenced);
        PERFORM rollback.put_back_result(a.id, result);
      EXCEPTION WHEN integrity_constraint_violation OR data_exception OR syntax_error_or_access_rule_violation THEN
        again := again || a.id;
        failed := failed || jsonb_build_object(a.id::text, SQLERRM);
        in_circle := in_circle OR SQLSTATE = '23503';
      END;
    END LOOP;
    EXIT WHEN again = '{}' OR again = waiting;
    waiting := again;
  END LOOP;
  IF in_circle THEN
    failed := rollback.put_back_together(again, overwrite);
    again := ARRAY(SELECT id::bigint FROM jsonb_object_keys(failed) AS id);
  END IF;
  UPDATE rollback.archive c SET restored = jsonb_build_object('problem', failed ->> c.id::text) WHERE c.id = ANY (again);
  PERFORM rollback.constraints_as_made();
END $$;

CREATE OR REPLACE FUNCTION rollback.look_back_at(of_migration text) RETURNS void LANGUAGE sql SET search_path = pg_catalog AS $$
  SELECT rollback.look_back(a) FROM rollback.pending_archives(of_migration) a
$$;

CREATE OR REPLACE FUNCTION rollback.put_back_of(of_migration text, by_run text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE ids bigint[] := ARRAY(SELECT a.id FROM rollback.pending_archives(of_migration) a ORDER BY a.id DESC);
BEGIN
  PERFORM rollback.put_back_all(ids, false);
  UPDATE rollback.archive c SET restored = restored || jsonb_build_object('run', by_run) WHERE c.id = ANY (ids);
END $$;

-- Fills a column that is there again from what the last reversal of a migration kept of it, where it holds nothing.
CREATE OR REPLACE FUNCTION rollback.fill(of_migration text, target oid, filled text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET row_security = off AS $$
DECLARE a rollback.archive; match text; val text; silenced jsonb;
BEGIN
  FOR a IN SELECT p.* FROM rollback.pending_archives(of_migration) p
    WHERE p.how = 'drop' AND filled = ANY (p.lost) AND rollback.archive_target(p) = target LOOP
    SET CONSTRAINTS ALL IMMEDIATE;
    silenced := rollback.silence(target);
    match := rollback.row_match(a, target);
    SELECT c.value INTO val FROM rollback.archive_columns(a, target) c WHERE c.name = filled;
    IF match IS NOT NULL AND val IS NOT NULL THEN
      EXECUTE format('UPDATE %1$s t SET %2$I = %3$s FROM rollback.%4$I x WHERE %5$s AND t.%2$I IS NULL',
        target::regclass, filled, val, a.name, match);
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    PERFORM rollback.loud(silenced);
    PERFORM rollback.constraints_as_made();
  END LOOP;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rollback FROM PUBLIC;
`;
