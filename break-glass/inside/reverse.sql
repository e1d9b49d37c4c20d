-- Takes back every migration that was applied after :to with the reversals that are stored in the ledger, as one transaction.
-- Each runs inside EXECUTE, which does not let it end the transaction. Variables: to (version), run (name for the ledger).
BEGIN;
SET LOCAL lock_timeout = '10s';
SELECT set_config('break_glass.to', :'to', true), set_config('break_glass.run', :'run', true) \g /dev/null
LOCK TABLE rollback.migration IN SHARE ROW EXCLUSIVE MODE;
DO $break_glass$
DECLARE
  target text := current_setting('break_glass.to');
  floor bigint := (SELECT id FROM rollback.migration WHERE state = 'applied' AND version = current_setting('break_glass.to'));
  owner name := (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database());
  before text := (SELECT version FROM rollback.migration WHERE state = 'applied' ORDER BY id DESC LIMIT 1);
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
  IF floor IS NULL AND target NOT IN ('0', 'none') THEN RAISE EXCEPTION 'the ledger does not hold % as applied', target; END IF;
  SELECT coalesce(array_agg(m ORDER BY m.id DESC), '{}') INTO todo
    FROM rollback.migration m WHERE m.state = 'applied' AND m.id > coalesce(floor, 0);
  FOREACH step IN ARRAY todo LOOP
    IF step.down IS NULL THEN
      RAISE EXCEPTION '% (%) has no stored reversal; restore the dump of the moment before it', step.version, step.name;
    END IF;
    IF step.untrack IS NULL THEN
      RAISE EXCEPTION '% (%) was recorded by an older version of the program, which did not store how its tool forgets it', step.version, step.name;
    END IF;
    EXECUTE format('SET LOCAL ROLE %I', owner);
    -- A BEGIN and COMMIT that only wrap the file are taken out, as the program does.
    EXECUTE regexp_replace(step.down, '^((?:\s|--[^\n]*\n)*)BEGIN(?:\s+TRANSACTION|\s+WORK)?\s*;(.*)COMMIT(?:\s+TRANSACTION|\s+WORK)?\s*;((?:\s|--[^\n]*(?:\n|$))*)$', '\1\2\3', 'i');
    -- What the program would do to the table of the migration's own tool, as the same role.
    EXECUTE step.untrack;
    GET DIAGNOSTICS found = ROW_COUNT;
    SET LOCAL ROLE NONE;
    IF found = 0 THEN
      RAISE EXCEPTION '% (%) is in the ledger and not in the table of its tool: something else has changed that since the last run', step.version, step.name;
    END IF;
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
    'schema', jsonb_build_object('by', 'break-glass', 'from', before, 'to', target, 'steps', done), '', '');
END $break_glass$;
COMMIT;
