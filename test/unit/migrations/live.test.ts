import assert from "node:assert/strict";
import { readerOf } from "../../../operations/migrations/layouts/index.ts";
import { judgeLive, signatureOf } from "../../../operations/migrations/live/judge.ts";
import type { LiveFacts } from "../../../operations/migrations/live/facts.ts";
import type { SchemaPlan } from "../../../operations/migrations/schema-plan.ts";
import { loadParser } from "../../../operations/migrations/sql/parse.ts";
import { stepOf } from "../../../operations/migrations/steps.ts";

const small = { rows: 1_000, bytes: 100_000 };
const large = { rows: 4_000_000, bytes: 2_000_000_000 };

function planOf(sql: string, database = "app"): SchemaPlan {
  const step = stepOf({ direction: "reverse", database, version: "3", name: "m", sql, source: "ledger" });
  const plan = {
    database,
    owner: "app_owner",
    reader: readerOf("meal-planner"),
    from: "3",
    to: "2",
    applied: ["1", "2", "3"],
    tracked: [],
    createTracking: false,
    adopt: [],
    gone: [],
    steps: [step],
    expected: undefined,
    recorded: true,
    notes: [],
  };
  return { release: "1.0", databases: [plan], sizes: new Map() };
}

/** Why this SQL may not meet requests; `declared`: whether the release that serves runs on the version gone to. */
function because(sql: string, declared: boolean, known: Partial<LiveFacts> = {}): readonly string[] {
  const facts: LiveFacts = {
    sizes: new Map([
      ['"a"', small],
      ['"big"', large],
    ]),
    enforcing: new Set(),
    binding: new Set(),
    ...known,
  };
  return judgeLive(planOf(sql), {
    serving: [{ name: "1.1", runsOn: () => declared }],
    facts: new Map([["app", facts]]),
    lockMs: 100,
  }).because;
}

describe("whether a reversal can meet requests", () => {
  before(loadParser);

  const harmless = [
    "DROP INDEX i",
    "CREATE INDEX i ON a (b)",
    "ALTER TABLE a ADD COLUMN c int",
    "ALTER TABLE a ADD COLUMN c timestamptz NOT NULL DEFAULT now()",
    "ALTER TABLE a ALTER b DROP NOT NULL, ALTER b SET DEFAULT 1",
    "ALTER TABLE a DROP CONSTRAINT c",
    "CREATE TABLE z (id int PRIMARY KEY)",
    "CREATE VIEW v AS SELECT b FROM a; COMMENT ON VIEW v IS 'x'; GRANT SELECT ON v TO public",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE t AS ENUM ('x'); SET LOCAL work_mem = '4MB'",
  ];
  for (const sql of harmless) {
    it(`takes for harmless: ${sql}`, () => assert.deepEqual(because(sql, false), []));
  }

  const harmful: Record<string, RegExp> = {
    "ALTER TABLE a DROP COLUMN b": /takes the column a\.b away; 1\.1 is not declared compatible with 2/,
    "DROP TABLE a": /takes the table a away/,
    "DROP VIEW v": /takes the view v away/,
    "DROP INDEX u": /takes the unique index u away/,
    "ALTER TABLE a DROP CONSTRAINT k": /takes the constraint a\.k away/,
    "CREATE UNIQUE INDEX i ON a (b)": /unique index/,
    "ALTER TABLE a ADD COLUMN c int NOT NULL": /refuses rows without a\.c/,
    "ALTER TABLE a ADD COLUMN c int REFERENCES z": /adds a\.c with a constraint/,
    "CREATE TABLE y (z int REFERENCES a)": /refuses deletions by a foreign key/,
    "ALTER TABLE a ALTER b DROP DEFAULT": /takes the default of a\.b away/,
    "ALTER TABLE a RENAME COLUMN b TO c": /renames a\.b/,
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": /replaces a function/,
    "REVOKE SELECT ON a FROM public": /takes a privilege away/,
    "UPDATE a SET b = 1": /changes rows/,
    "DROP TRIGGER t ON a": /takes the trigger a\.t away/,
    "ALTER TYPE t RENAME VALUE 'x' TO 'y'": /labels of an enum/,
    "CREATE RULE r AS ON INSERT TO a DO NOTHING": /not known to be harmless/,
  };
  for (const [sql, why] of Object.entries(harmful)) {
    const known = { enforcing: new Set(['"u"']), binding: new Set(['"a" k']) };
    it(`wants a declaration for: ${sql}`, () => {
      assert.match(because(sql, false, known).join("\n"), why);
      assert.deepEqual(because(sql, true, known), []);
    });
  }

  const long: Record<string, RegExp> = {
    "ALTER TABLE big DROP COLUMN b":
      /keeping what it destroys takes about 16\.0 s \(more than 100 ms\) under lock/,
    "DROP TABLE big": /keeping what it destroys/,
    "CREATE INDEX i ON big (b)": /builds an index on big, about 100\.0 s/,
    "ALTER TABLE big ADD CHECK (b > 0)": /reads big/,
    "ALTER TABLE big ALTER b SET NOT NULL": /reads big/,
    "ALTER TABLE big ALTER b TYPE bigint": /rewrites big/,
    "ALTER TABLE big ADD COLUMN c uuid DEFAULT gen_random_uuid()": /rewrites big/,
    "ALTER TABLE big ADD COLUMN c bigserial": /rewrites big/,
    "ALTER TABLE big ADD COLUMN c positive": /rewrites big/,
    "UPDATE a SET b = (SELECT count(*) FROM big)": /reads big/,
    "DO $$ BEGIN END $$": /line 1: how long it takes cannot be known/,
    "SELECT my_own()": /cannot be known/,
    "REFRESH MATERIALIZED VIEW m": /cannot be known/,
  };
  for (const [sql, why] of Object.entries(long)) {
    it(`does not take for short: ${sql}`, () => assert.match(because(sql, true).join("\n"), why));
  }
  for (const sql of [
    "ALTER TABLE big ADD COLUMN c int NOT NULL DEFAULT 1",
    "ALTER TABLE big ADD CHECK (b > 0) NOT VALID",
    "ALTER TABLE big RENAME TO huge",
    "DROP INDEX i",
  ]) {
    it(`takes for short, however large the table: ${sql}`, () => assert.deepEqual(because(sql, true), []));
  }

  it("adds the steps' times up", () => {
    const half = { rows: 1, bytes: 60 * 20_000 };
    const both = "CREATE INDEX i ON x (b); CREATE INDEX j ON y (b)";
    const sizes = new Map([
      ['"x"', half],
      ['"y"', half],
    ]);
    assert.match(because(both, true, { sizes }).join("\n"), /all steps together hold locks for about 120 ms/);
  });

  it("refuses two databases at once: a killed commit would leave locks behind", () => {
    const [one, other] = [planOf("DROP INDEX i"), planOf("DROP INDEX i", "other")];
    const facts: LiveFacts = { sizes: new Map(), enforcing: new Set(), binding: new Set() };
    const verdict = judgeLive(
      { ...one, databases: [...one.databases, ...other.databases] },
      {
        serving: [],
        lockMs: 100,
        facts: new Map([
          ["app", facts],
          ["other", facts],
        ]),
      },
    );
    assert.match(verdict.because.join("\n"), /app and other change together/);
  });

  it("knows the plan that it judged from another", () => {
    assert.equal(signatureOf(planOf("DROP INDEX i")), signatureOf(planOf("DROP INDEX i")));
    assert.notEqual(signatureOf(planOf("DROP INDEX i")), signatureOf(planOf("DROP INDEX j")));
  });
});
