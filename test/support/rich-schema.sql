CREATE SCHEMA shop;
CREATE SCHEMA "Odd Schema";
CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'it''s fine');
CREATE DOMAIN shop.email AS text DEFAULT 'a@b' NOT NULL CONSTRAINT has_at CHECK (VALUE ~ '@');
CREATE TYPE shop.address AS (street text, no int);
CREATE TYPE shop.span AS RANGE (SUBTYPE = int);
CREATE SEQUENCE shop.tickets START 100 INCREMENT 5 MAXVALUE 10000 CYCLE;
CREATE TABLE shop.owners (id serial PRIMARY KEY, name varchar(80) NOT NULL UNIQUE, mail shop.email, mood shop.mood DEFAULT 'ok', home shop.address, tags text[] DEFAULT '{}');
COMMENT ON TABLE shop.owners IS 'who owns; it''s "quoted"';
COMMENT ON COLUMN shop.owners.mail IS 'reach them';
CREATE TABLE shop.pets (
  id bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 2) PRIMARY KEY,
  owner int REFERENCES shop.owners (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  name text COLLATE "C" NOT NULL CHECK (name <> ''), born date DEFAULT current_date, weight numeric(6,2),
  grams numeric GENERATED ALWAYS AS (weight * 1000) STORED, moods shop.mood[], during shop.span,
  CONSTRAINT born_known CHECK (born > '1990-01-01') NOT VALID);
CREATE INDEX pets_lower ON shop.pets (lower(name) text_pattern_ops) WHERE weight > 1;
CREATE INDEX pets_born ON shop.pets USING brin (born) WITH (pages_per_range = 16);
CREATE UNIQUE INDEX pets_name ON shop.pets (name DESC NULLS LAST) INCLUDE (weight);
CREATE TABLE "Odd Schema"."select" ("from" int PRIMARY KEY, "Ünï ""q""" text DEFAULT 'x', "a.b" text);
CREATE INDEX "idx with space" ON "Odd Schema"."select" ("a.b");
CREATE FUNCTION shop.shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) $$;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := shop.shout(NEW.name); RETURN NEW; END $$;
CREATE PROCEDURE shop.nothing(a int, b text DEFAULT 'x') LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE AGGREGATE shop.longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF name ON shop.pets FOR EACH ROW WHEN (NEW.name IS NOT NULL) EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.pets DISABLE TRIGGER touch;
ALTER TABLE shop.pets ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON shop.pets FOR SELECT USING (weight > 0);
CREATE POLICY written ON shop.pets AS RESTRICTIVE FOR INSERT WITH CHECK (name <> 'x');
CREATE VIEW shop.heavy WITH (security_barrier) AS SELECT p.id, p.name, o.name AS owner FROM shop.pets p LEFT JOIN shop.owners o ON o.id = p.owner WHERE p.weight > 10;
CREATE VIEW shop.heaviest AS SELECT id, shop.shout(name) AS loud FROM shop.heavy;
COMMENT ON VIEW shop.heavy IS 'the heavy';
COMMENT ON COLUMN shop.heavy.owner IS 'whose';
CREATE MATERIALIZED VIEW shop.counts AS SELECT owner, count(*) AS n FROM shop.pets GROUP BY owner;
CREATE UNIQUE INDEX counts_owner ON shop.counts (owner);
CREATE TABLE shop.log (at timestamptz NOT NULL, kind text, note text, PRIMARY KEY (at, kind)) PARTITION BY RANGE (at);
CREATE TABLE shop.log_1 PARTITION OF shop.log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.log_rest PARTITION OF shop.log DEFAULT;
CREATE INDEX log_kind ON shop.log (kind);
CREATE TABLE shop.base (id int PRIMARY KEY, note text DEFAULT 'n');
CREATE TABLE shop.derived (extra int NOT NULL) INHERITS (shop.base);
CREATE STATISTICS shop.pet_stats (dependencies) ON owner, born FROM shop.pets;
CREATE RULE keep AS ON DELETE TO shop.base DO INSTEAD NOTHING;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader;
GRANT USAGE ON SCHEMA shop TO reader;
GRANT SELECT, INSERT ON shop.owners TO reader;
GRANT SELECT (id, name) ON shop.pets TO reader;
GRANT SELECT ON shop.heavy TO reader WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION shop.shout(text) FROM PUBLIC;
GRANT USAGE ON SEQUENCE shop.tickets TO reader;
