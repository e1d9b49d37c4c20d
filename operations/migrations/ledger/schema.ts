import { archiveFunctions } from "./archive-functions.ts";
import { putBackFunctions } from "./put-back-functions.ts";
import { putBackRounds } from "./put-back-rounds.ts";

const functions = [archiveFunctions, putBackFunctions, putBackRounds].join("");

/**
 * The ledger's own schema, as SQL. Each entry brings the ledger one version further; entries are never edited once
 * released, only added: a change of the functions is an entry that makes all of them anew. All of it belongs to the
 * operator role, which owns the schema `rollback`.
 */
export const ledgerVersions: readonly string[] = [
  `
CREATE TABLE rollback.ledger (
  version integer PRIMARY KEY,
  installed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rollback.migration (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version text NOT NULL,
  name text NOT NULL,
  layout text NOT NULL,
  checksum text NOT NULL,
  up text NOT NULL,
  down text,
  verify text,
  class text NOT NULL,
  fingerprint_before text,
  fingerprint_after text,
  catalogue_changes jsonb,
  release text,
  applied_at timestamptz NOT NULL DEFAULT now(),
  applied_by text NOT NULL DEFAULT session_user,
  state text NOT NULL DEFAULT 'applied' CHECK (state IN ('applied', 'reversed', 'gone')),
  ended_at timestamptz
);
CREATE UNIQUE INDEX migration_applied ON rollback.migration (version) WHERE state = 'applied';
COMMENT ON TABLE rollback.migration IS
  'Every migration ever applied with the SQL that takes it back; a row is only ever marked as reversed or gone.';
COMMENT ON COLUMN rollback.migration.catalogue_changes IS
  'What the migration removed, changed and added in the catalogue, with the definitions before it.';

CREATE TABLE rollback.catalogue (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  fingerprint text NOT NULL,
  objects jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rollback.catalogue IS 'The catalogue as the last run left it: what was changed by hand since is found by comparing.';

CREATE TABLE rollback.event (
  id bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  by text NOT NULL,
  run text NOT NULL,
  kind text NOT NULL,
  details jsonb NOT NULL,
  previous text NOT NULL,
  hash text NOT NULL
);
COMMENT ON TABLE rollback.event IS 'Append-only; each row carries the hash of the one before it.';

CREATE FUNCTION rollback.event_hash(e rollback.event) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog AS $$
  SELECT encode(sha256(convert_to(concat_ws(E'\\x1f', e.id, extract(epoch FROM e.at), e.by, e.run, e.kind,
    e.details, e.previous), 'UTF8')), 'hex')
$$;

CREATE FUNCTION rollback.event_chain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE last record;
BEGIN
  -- One writer at a time: the chain has one end.
  LOCK TABLE rollback.event IN SHARE ROW EXCLUSIVE MODE;
  SELECT id, hash INTO last FROM rollback.event ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.previous := coalesce(last.hash, '');
  NEW.at := coalesce(NEW.at, now());
  NEW.by := session_user;
  NEW.hash := rollback.event_hash(NEW);
  RETURN NEW;
END $$;
CREATE TRIGGER event_chain BEFORE INSERT ON rollback.event FOR EACH ROW EXECUTE FUNCTION rollback.event_chain();

CREATE FUNCTION rollback.event_keep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'rollback.event is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER event_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON rollback.event
  FOR EACH STATEMENT EXECUTE FUNCTION rollback.event_keep();

CREATE TABLE rollback.decision (
  run text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rollback.decision IS 'Runs over several databases that were committed; the others'' prepared transactions follow it.';

CREATE SEQUENCE rollback.archive_number;
CREATE TABLE rollback.archive (
  id bigint PRIMARY KEY,
  name text NOT NULL UNIQUE,
  source_schema text NOT NULL,
  source_table text NOT NULL,
  how text NOT NULL,
  columns jsonb NOT NULL,
  lost text[],
  key text[] NOT NULL,
  rows bigint,
  bytes bigint,
  migration text NOT NULL,
  run text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rollback.archive IS 'What reversals destroyed, each in the table rollback.<name>.';
COMMENT ON COLUMN rollback.archive.lost IS 'The columns that were dropped or changed; null: whole rows.';
REVOKE ALL ON ALL TABLES IN SCHEMA rollback FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rollback FROM PUBLIC;
`,
  `
ALTER TABLE rollback.catalogue ADD COLUMN mark text;
COMMENT ON COLUMN rollback.catalogue.mark IS 'Row versions of the catalogue: the same mark means that nothing was changed.';
`,
  `
ALTER TABLE rollback.archive ADD COLUMN restored_at timestamptz, ADD COLUMN restored jsonb;
COMMENT ON COLUMN rollback.archive.restored IS 'What was put back when: rows inserted, updated, the same already, in conflict.';
`,
  `
ALTER TABLE rollback.migration ADD COLUMN definitions jsonb;
COMMENT ON COLUMN rollback.migration.definitions IS
  'Of a migration without a reversal: everything that it removed or changed, as it was before, for drafting one.';
`,
  `
CREATE TABLE rollback.boundary (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  version text NOT NULL,
  schema_before jsonb NOT NULL
);
COMMENT ON TABLE rollback.boundary IS
  'The whole schema before a step that commits statement by statement and has no reversal; a killed run is finished by another.';
`,
  `
ALTER TABLE rollback.archive ADD COLUMN digest text;
COMMENT ON COLUMN rollback.archive.digest IS 'Of a table without a key: its rows after the reversal, as a hash.';
${functions}`,
  `
ALTER TABLE rollback.migration ADD COLUMN untrack text;
COMMENT ON COLUMN rollback.migration.untrack IS 'Takes it out of the table of its own tool, when it is the newest there.';
`,
  functions,
];
