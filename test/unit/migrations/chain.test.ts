import assert from "node:assert/strict";
import { leftBehind, refuseBrokenChain } from "../../../operations/migrations/planning/chain.ts";
import { loadParser } from "../../../operations/migrations/sql/parse.ts";
import { understand } from "../../../operations/migrations/sql/script.ts";
import { stepOf } from "../../../operations/migrations/steps.ts";

describe("a chain of reversals", () => {
  before(loadParser);

  /** Reversals in the order in which they run. */
  const chain = (...downs: readonly string[]) =>
    downs.map((sql, index) =>
      stepOf({
        direction: "reverse",
        database: "app",
        version: String(downs.length - index),
        name: "m",
        sql,
        source: "ledger",
      }),
    );

  it("is refused when one of them needs what one before it has taken away", () => {
    const broken: Readonly<Record<string, readonly string[]>> = {
      "relation t": ["DROP TABLE t", "ALTER TABLE t DROP COLUMN c"],
      "relation public.t": ["DROP TABLE t", "SELECT 1", "DROP TABLE public.t"],
      "column t.c": ["ALTER TABLE t DROP c", "ALTER TABLE t ALTER c DROP NOT NULL"],
      "relation i": ["DROP INDEX IF EXISTS i", "DROP INDEX i"],
      "type e": ["DROP TYPE e", "DROP TYPE e"],
      "relation v": [
        "DROP VIEW v",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP VIEW v",
      ],
    };
    for (const [what, downs] of Object.entries(broken)) {
      assert.throws(
        () => refuseBrokenChain("app", chain(...downs)),
        (error: Error) =>
          error.message.includes(
            `SCHEMA_CHAIN_FAILS: app 1 (down), line 1: it needs the ${what}, which app `,
          ),
        what,
      );
    }
  });

  it("passes where that is not certain", () => {
    const passing = [
      ["DROP TABLE t", "ALTER TABLE IF EXISTS t DROP COLUMN c; DROP TABLE IF EXISTS t"],
      ["DROP TABLE t", "CREATE TABLE public.t (c int); ALTER TABLE t DROP COLUMN c"],
      ["ALTER TABLE t DROP c; DROP TABLE t; CREATE TABLE t (c int)", "ALTER TABLE t DROP c"],
      ["DROP TABLE t", "ALTER TABLE u RENAME TO t; DROP TABLE t"],
      ["DROP TABLE t", "DO $$ BEGIN CREATE TABLE t (c int); END $$; DROP TABLE t"],
      ["DROP TABLE t", "SELECT 1 AS c INTO t; DROP TABLE t"],
      ["DROP TABLE t", "SET search_path = other; DROP TABLE t"],
      ["DROP TABLE a.t", "DROP TABLE b.t", "DROP TABLE t"],
      ["ALTER TABLE t DROP c", "ALTER TABLE t ADD c int", "ALTER TABLE t DROP c"],
    ];
    for (const downs of passing) refuseBrokenChain("app", chain(...downs));
  });

  it("tells what a reversal leaves of its migration, as far as the texts say", () => {
    const left = (up: string, down: string) => leftBehind(up, understand(down, "x").statements, "x");
    const up =
      "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (id int, e e); CREATE INDEX i ON t (id); ALTER TABLE u ADD c int, ADD d int; CREATE INDEX j ON u (c)";
    assert.deepEqual(left(up, "DROP TABLE public.t; ALTER TABLE u DROP c, DROP d; DROP TYPE e"), []);
    assert.deepEqual(left(up, "DROP TABLE t; ALTER TABLE u DROP c"), ["type e", "column u.d"]);
    assert.deepEqual(left("CREATE INDEX i ON t (id); CREATE VIEW v AS SELECT 1", "DROP INDEX i"), ["v"]);
    assert.deepEqual(left(up, "DROP TABLE t CASCADE"), []);
    assert.deepEqual(left(up, "DO $$ BEGIN DROP TABLE t; END $$"), []);
    assert.deepEqual(left("CREATE TABLE a (id int); DROP TABLE a", "SELECT 1"), []);
  });
});
