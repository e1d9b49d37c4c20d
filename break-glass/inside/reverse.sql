-- Takes back every applied migration newer than :to with the reversals that are stored in the ledger, as one transaction.
-- Each runs inside EXECUTE, which does not let it end the transaction. Variables: to (version), run (name for the ledger).
BEGIN;
SET LOCAL lock_timeout = '10s';
SELECT set_config('break_glass.to', :'to', true), set_config('break_glass.run', :'run', true) \g /dev/null
LOCK TABLE rollback.migration, public.schema_migrations IN SHARE ROW EXCLUSIVE MODE;
DO $break_glass$
DECLARE
  target numeric := current_setting('break_glass.to');
  owner name := (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database());
  before text := (SELECT max(version::text::numeric)::text FROM public.schema_migrations WHERE success);
  todo rollback.migration[];
  step rollback.migration;
  done jsonb := '[]';
  found bigint;
BEGIN
  -- The lock that every run of the program holds while it changes this schema.
  IF NOT pg_try_advisory_xact_lock(hashtext('rollback'), hashtext('schema')) THEN
    RAISE EXCEPTION 'a run of the program is changing this schema';
  END IF;
  IF EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database()) THEN
    RAISE EXCEPTION 'a prepared transaction is left in pg_prepared_xacts: docs/break-glass.md tells how to end it';
  END IF;
  SELECT coalesce(array_agg(m ORDER BY m.version::numeric DESC), '{}') INTO todo
    FROM rollback.migration m WHERE m.state = 'applied' AND m.version::numeric > target;
  SELECT count(*) INTO found FROM public.schema_migrations WHERE version::text::numeric > target;
  IF found <> cardinality(todo) THEN
    RAISE EXCEPTION 'schema_migrations has % versions newer than %, the ledger has %', found, target, cardinality(todo);
  END IF;
  FOREACH step IN ARRAY todo LOOP
    IF step.down IS NULL THEN
      RAISE EXCEPTION '% (%) has no stored reversal; restore the dump of the moment before it', step.version, step.name;
    END IF;
    EXECUTE format('SET LOCAL ROLE %I', owner);
    -- A BEGIN and COMMIT that only wrap the file are taken out, as the program does.
    EXECUTE regexp_replace(step.down, '^((?:\s|--[^\n]*\n)*)BEGIN(?:\s+TRANSACTION|\s+WORK)?\s*;(.*)COMMIT(?:\s+TRANSACTION|\s+WORK)?\s*;((?:\s|--[^\n]*(?:\n|$))*)$', '\1\2\3', 'i');
    SET LOCAL ROLE NONE;
    DELETE FROM public.schema_migrations WHERE version::text::numeric = step.version::numeric;
    UPDATE rollback.migration SET state = 'reversed', ended_at = now() WHERE id = step.id;
    -- The catalogue as the program last saw it goes back as well, else its next run would take this for a change by hand.
    IF step.catalogue_changes IS NULL THEN
      DELETE FROM rollback.catalogue;
    ELSE
      UPDATE rollback.catalogue SET at = now(), fingerprint = coalesce(step.fingerprint_before, ''),
        objects = (objects - array(SELECT jsonb_object_keys(step.catalogue_changes->'added')))
          || coalesce((SELECT jsonb_object_agg(key, value->'before') FROM jsonb_each(step.catalogue_changes->'changed')), '{}')
          || (step.catalogue_changes->'removed');
    END IF;
    done := done || jsonb_build_object('version', step.version, 'name', step.name, 'direction', 'reverse',
      'class', step.class, 'source', 'ledger');
    RAISE NOTICE 'reversed % (%)', step.version, step.name;
  END LOOP;
  SET CONSTRAINTS ALL IMMEDIATE;
  INSERT INTO rollback.event (id, at, by, run, kind, details, previous, hash) VALUES (0, now(), '', current_setting('break_glass.run'),
    'schema', jsonb_build_object('by', 'break-glass', 'from', before, 'to', target::text, 'steps', done), '', '');
END $break_glass$;
COMMIT;
