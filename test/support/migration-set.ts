/** A migration of the sets that tests run in every layout. */
export interface SetMigration {
  readonly name: string;
  readonly up: string;
  readonly down: string;
  /** Rows to put in after it was applied, so that the way back has something to lose. */
  readonly rows?: string;
}

/**
 * A shop, from an empty schema: 24 migrations that use what PostgreSQL has, with names that need quotes. Every reversal leads
 * back to exactly the schema before it, column order apart.
 */
export const shop: readonly SetMigration[] = [
  {
    name: "customers",
    up: `CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE customers IS 'who buys; it''s them';`,
    down: "DROP TABLE customers;",
    rows: "INSERT INTO customers (email) SELECT 'c' || n || '@example.org' FROM generate_series(1, 40) n",
  },
  {
    name: "order_status",
    up: "CREATE TYPE order_status AS ENUM ('new', 'paid', 'sent');\nCREATE DOMAIN amount AS numeric(12, 2) CHECK (VALUE >= 0);",
    down: "DROP DOMAIN amount;\nDROP TYPE order_status;",
  },
  {
    name: "orders",
    up: `CREATE TABLE orders (
  id serial PRIMARY KEY,
  customer bigint NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  status order_status NOT NULL DEFAULT 'new',
  total amount NOT NULL DEFAULT 0,
  note text
);
CREATE INDEX orders_customer ON orders (customer) WHERE status <> 'sent';`,
    down: "DROP TABLE orders;",
    rows: "INSERT INTO orders (customer, status, total) SELECT c.id, 'paid', c.id * 1.5 FROM customers c",
  },
  {
    name: "odd_names",
    up: `CREATE TABLE "Größe & Co" ("select" int PRIMARY KEY, "Ünïcode naïve" text, "with ""quotes""" text DEFAULT 'a;b');
CREATE INDEX "an index; really" ON "Größe & Co" ("Ünïcode naïve");`,
    down: `DROP TABLE "Größe & Co";`,
    rows: `INSERT INTO "Größe & Co" SELECT n, 'ä' || n FROM generate_series(1, 10) n`,
  },
  {
    name: "order_tax",
    up: `ALTER TABLE orders ADD COLUMN tax_rate numeric(4, 3) NOT NULL DEFAULT 0.19;
ALTER TABLE orders ADD COLUMN tax numeric GENERATED ALWAYS AS (total * tax_rate) STORED;`,
    down: "ALTER TABLE orders DROP COLUMN tax, DROP COLUMN tax_rate;",
    rows: "UPDATE orders SET tax_rate = 0.07 WHERE id % 2 = 0",
  },
  {
    name: "stock_schema",
    up: `CREATE SCHEMA stock;
CREATE TABLE stock.articles (sku text PRIMARY KEY, attributes jsonb NOT NULL DEFAULT '{}', tags text[] NOT NULL DEFAULT '{}');
CREATE INDEX ON stock.articles USING gin (attributes);`,
    down: "DROP TABLE stock.articles;\nDROP SCHEMA stock;",
    rows: `INSERT INTO stock.articles SELECT 's' || n, jsonb_build_object('n', n), ARRAY['a', NULL, '"' || n] FROM generate_series(1, 25) n`,
  },
  {
    name: "order_lines",
    up: `CREATE TABLE order_lines (
  "order" int NOT NULL REFERENCES orders (id),
  sku text NOT NULL REFERENCES stock.articles (sku) ON UPDATE CASCADE,
  quantity int NOT NULL CONSTRAINT "some at least" CHECK (quantity > 0),
  PRIMARY KEY ("order", sku)
);`,
    down: "DROP TABLE order_lines;",
    rows: "INSERT INTO order_lines SELECT o.id, 's' || (1 + o.id % 25), 1 + o.id % 3 FROM orders o",
  },
  {
    name: "touch_function",
    up: `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.note := coalesce(NEW.note, '') || '; touched'; -- a comment; with a semicolon
  RETURN NEW;
END
$body$;
CREATE TRIGGER orders_touch BEFORE UPDATE OF status ON orders FOR EACH ROW EXECUTE FUNCTION touch();`,
    down: "DROP TRIGGER orders_touch ON orders;\nDROP FUNCTION touch();",
  },
  {
    name: "paid_orders_view",
    up: "CREATE VIEW paid_orders AS SELECT id, customer, total FROM orders WHERE status = 'paid';\nCOMMENT ON VIEW paid_orders IS 'paid';",
    down: "DROP VIEW paid_orders;",
  },
  {
    name: "sales_view",
    up: "CREATE MATERIALIZED VIEW sales AS SELECT customer, sum(total) AS total FROM orders GROUP BY customer;\nCREATE UNIQUE INDEX sales_customer ON sales (customer);",
    down: "DROP MATERIALIZED VIEW sales;",
  },
  {
    name: "events_partitioned",
    up: `CREATE TABLE events (at date NOT NULL, kind text NOT NULL, payload jsonb) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_kind ON events (kind);`,
    down: "DROP TABLE events;",
    rows: "INSERT INTO events SELECT date '2025-06-01' + n * 30, 'k' || n, to_jsonb(n) FROM generate_series(1, 20) n",
  },
  {
    name: "people_inheritance",
    up: "CREATE TABLE people (id int PRIMARY KEY, name text);\nCREATE TABLE employees (salary amount) INHERITS (people);",
    down: "DROP TABLE employees;\nDROP TABLE people;",
    rows: "INSERT INTO people VALUES (1, 'Ann'); INSERT INTO employees VALUES (2, 'Bob', 100)",
  },
  {
    name: "row_security",
    up: `ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_own ON customers FOR SELECT USING (email = current_user);`,
    down: "DROP POLICY only_own ON customers;\nALTER TABLE customers DISABLE ROW LEVEL SECURITY;",
  },
  {
    name: "grants",
    up: "GRANT SELECT ON paid_orders TO PUBLIC;\nGRANT SELECT (id), UPDATE (note) ON orders TO PUBLIC;",
    down: "REVOKE SELECT ON paid_orders FROM PUBLIC;\nREVOKE SELECT (id), UPDATE (note) ON orders FROM PUBLIC;",
  },
  {
    name: "invoice_numbers",
    up: "CREATE SEQUENCE invoice_number START 1000 INCREMENT 5 CACHE 10;\nALTER TABLE orders ADD COLUMN invoice bigint DEFAULT nextval('invoice_number');",
    down: "ALTER TABLE orders DROP COLUMN invoice;\nDROP SEQUENCE invoice_number;",
  },
  {
    name: "rename_note",
    up: `ALTER TABLE orders RENAME COLUMN note TO "Note to us";\nALTER INDEX orders_customer RENAME TO orders_open;
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW."Note to us" := coalesce(NEW."Note to us", '') || '; touched';
  RETURN NEW;
END
$body$;`,
    down: `CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.note := coalesce(NEW.note, '') || '; touched'; -- a comment; with a semicolon
  RETURN NEW;
END
$body$;
ALTER INDEX orders_open RENAME TO orders_customer;\nALTER TABLE orders RENAME COLUMN "Note to us" TO note;`,
    rows: `UPDATE orders SET "Note to us" = 'kept' WHERE id <= 5`,
  },
  {
    name: "default_articles",
    up: "INSERT INTO stock.articles (sku, tags) VALUES ('default-1', '{basic}'), ('default-2', '{basic}');",
    down: "DELETE FROM stock.articles WHERE sku LIKE 'default-%';",
  },
  {
    name: "wider_quantity",
    up: "ALTER TABLE order_lines ALTER COLUMN quantity TYPE bigint;",
    down: "ALTER TABLE order_lines ALTER COLUMN quantity TYPE int;",
  },
  {
    name: "no_overlap",
    up: "CREATE TABLE bookings (room int, during tstzrange, EXCLUDE USING gist (during WITH &&) WHERE (room = 1));",
    down: "DROP TABLE bookings;",
    rows: "INSERT INTO bookings VALUES (1, '[2025-01-01, 2025-01-02)'), (2, '[2025-01-01, 2025-01-02)')",
  },
  {
    name: "soft_delete",
    up: "ALTER TABLE customers ADD COLUMN deleted_at timestamptz;\nCREATE INDEX customers_alive ON customers (email) WHERE deleted_at IS NULL;",
    down: "ALTER TABLE customers DROP COLUMN deleted_at;",
    rows: "UPDATE customers SET deleted_at = '2025-05-05' WHERE id % 4 = 0",
  },
  {
    name: "full_names",
    up: `CREATE TYPE full_name AS (first text, last text);\nALTER TABLE people ADD COLUMN full_name full_name, ADD COLUMN moods order_status[];`,
    down: "ALTER TABLE people DROP COLUMN full_name, DROP COLUMN moods;\nDROP TYPE full_name;",
    rows: `UPDATE people SET full_name = ROW(name, 'O''Hara, "x"'), moods = ARRAY['new', NULL]::order_status[]`,
  },
  {
    name: "rules_and_stats",
    up: `CREATE RULE protect AS ON DELETE TO bookings DO INSTEAD NOTHING;
CREATE STATISTICS order_stats (dependencies) ON customer, status FROM orders;`,
    down: "DROP STATISTICS order_stats;\nDROP RULE protect ON bookings;",
  },
  {
    name: "not_null_note",
    up: `UPDATE orders SET "Note to us" = '' WHERE "Note to us" IS NULL;
ALTER TABLE orders ALTER COLUMN "Note to us" SET NOT NULL, ALTER COLUMN "Note to us" SET DEFAULT '';`,
    down: `ALTER TABLE orders ALTER COLUMN "Note to us" DROP NOT NULL, ALTER COLUMN "Note to us" DROP DEFAULT;`,
  },
  {
    name: "audit",
    up: `CREATE UNLOGGED TABLE audit (id bigserial PRIMARY KEY, what text COLLATE "C", raw bytea, size float8, exact numeric)
  WITH (fillfactor = 70);
ALTER TABLE audit ALTER COLUMN what SET STORAGE EXTERNAL;`,
    down: "DROP TABLE audit;",
    rows: `INSERT INTO audit (what, raw, size, exact) SELECT 'w' || n, decode('00ff' || lpad(to_hex(n), 2, '0'), 'hex'),
      CASE n WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE 0.1 * n END, n / 7.0 FROM generate_series(1, 9) n`,
  },
];
