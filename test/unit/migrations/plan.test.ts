import assert from "node:assert/strict";
import { checksum } from "../../../operations/migrations/layouts/files.ts";
import { readerOf } from "../../../operations/migrations/layouts/index.ts";
import { describePlan } from "../../../operations/migrations/describe.ts";
import { planDatabase } from "../../../operations/migrations/planning/database.ts";
import type { DatabasePlan } from "../../../operations/migrations/plan.ts";
import { loadParser } from "../../../operations/migrations/sql/parse.ts";
import { stepsSql } from "../../../operations/migrations/statements.ts";
import type { LedgerRow, Migration, Observed } from "../../../operations/migrations/types.ts";
import { isRefusal } from "../../../settings/refusal.ts";

function file(version: number, up: string, down?: string): Migration {
  return {
    version: String(version),
    name: `m${version}`,
    file: `${version}_m.sql`,
    up,
    down,
    verify: undefined,
    transactional: true,
    checksum: checksum(up),
  };
}

const reader = readerOf("meal-planner");

function stored(migration: Migration, change: Partial<LedgerRow> = {}): LedgerRow {
  return {
    id: `1${migration.version}`,
    version: migration.version,
    name: migration.name,
    layout: "meal-planner",
    checksum: migration.checksum,
    up: migration.up,
    down: migration.down,
    class: "exact",
    fingerprintBefore: `before ${migration.version}`,
    fingerprintAfter: `after ${migration.version}`,
    release: "1.0",
    ...change,
  };
}

const m1 = file(1, "CREATE TABLE a (id int PRIMARY KEY)", "DROP TABLE a");
const m2 = file(2, "ALTER TABLE a ADD b int", "ALTER TABLE a DROP COLUMN b");
const m3 = file(3, "CREATE INDEX i ON a (b)", "DROP INDEX i");
const all = [m1, m2, m3];

function plan(
  wanted: string,
  given: { files?: Migration[]; applied?: string[]; ledger?: LedgerRow[]; observed?: Partial<Observed> },
): DatabasePlan {
  const applied = given.applied ?? [];
  return planDatabase({
    files: given.files ?? all,
    observed: {
      database: "app",
      tracked: applied.length === 0 ? undefined : applied.map((version) => ({ version, success: true })),
      ledger: given.ledger,
      maxPrepared: 10,
      prepared: 0,
      ...given.observed,
    },
    wanted,
    owner: "app_owner",
    reader,
  });
}

function steps({ steps: all }: DatabasePlan): string[] {
  return all.map((step) => `${step.direction} ${step.version} from ${step.source}`);
}

function refused(code: string, work: () => unknown, message = /./): void {
  assert.throws(work, (error) => {
    assert.ok(isRefusal(error, code), String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("planning one database", () => {
  before(loadParser);

  it("goes forward in order and makes the tracking table of an empty database", () => {
    const made = plan("002", {});
    assert.deepEqual(steps(made), ["forward 1 from file", "forward 2 from file"]);
    assert.deepEqual([made.from, made.to, made.createTracking], [undefined, "2", true]);
  });

  it("goes back newest first, with stored reversals, towards the catalogue before the oldest", () => {
    const made = plan("1", { applied: ["1", "2", "3"], ledger: all.map((each) => stored(each)) });
    assert.deepEqual(steps(made), ["reverse 3 from ledger", "reverse 2 from ledger"]);
    assert.equal(made.expected, "before 2");
    assert.deepEqual(made.notes, []);
  });

  it("finds nothing to do when the version is there", () => {
    const made = plan("3", { applied: ["1", "2", "3"], ledger: all.map((each) => stored(each)) });
    assert.deepEqual([made.steps, made.adopt, made.gone], [[], [], []]);
  });

  it("uses the stored reversal when the file's is another, when it is gone, and says so", () => {
    const edited = plan("1", {
      files: [m1, { ...m2, down: "SELECT 1" }],
      applied: ["1", "2", "3"],
      ledger: all.map((each) => stored(each)),
    });
    assert.deepEqual(steps(edited), ["reverse 3 from ledger", "reverse 2 from ledger"]);
    assert.equal(edited.steps[1]?.script.statements[0]?.sql, "ALTER TABLE a DROP COLUMN b");
    assert.deepEqual(
      edited.notes.map(({ code }) => code),
      ["SCHEMA_FILE_GONE", "SCHEMA_REVERSAL_EDITED"],
    );
  });

  it("takes a reversal that was written later from its file, when none was stored", () => {
    const made = plan("2", {
      applied: ["1", "2", "3"],
      ledger: [stored(m1), stored(m2), stored(m3, { down: undefined })],
    });
    assert.deepEqual(steps(made), ["reverse 3 from file"]);
    assert.deepEqual(
      made.notes.map(({ code }) => code),
      ["SCHEMA_REVERSAL_FROM_FILE"],
    );
  });

  it("adopts what is applied and not in the ledger, and marks what is in the ledger and not applied", () => {
    const made = plan("2", { applied: ["1", "2"], ledger: [stored(m1), stored(m3)] });
    assert.deepEqual(
      made.adopt.map(({ migration, class: kind }) => [migration.version, kind]),
      [["2", "exact"]],
    );
    assert.deepEqual(
      made.gone.map(({ version }) => version),
      ["3"],
    );
    assert.deepEqual(made.steps, []);
  });

  it("reverses adopted migrations without expecting a catalogue nobody has recorded", () => {
    const made = plan("2", { applied: ["1", "2", "3"] });
    assert.deepEqual([steps(made), made.expected], [["reverse 3 from file"], undefined]);
  });

  it("refuses, naming the migration and what to do", () => {
    const applied = ["1", "2", "3"];
    const none = file(3, "CREATE INDEX i ON a (b)");
    refused(
      "SCHEMA_NO_REVERSAL",
      () => plan("2", { files: [m1, m2, none], applied }),
      /app 3 \(m3\).*rollback\/3_m.sql/s,
    );
    refused("SCHEMA_NOOP_REVERSAL", () =>
      plan("2", { files: [m1, m2, { ...m3, down: "-- todo" }], applied }),
    );
    refused("SCHEMA_UNKNOWN_VERSION", () => plan("7", { applied }), /newest known is 3/);
    refused("SCHEMA_UNKNOWN_VERSION", () => plan("seven", { applied }));
    refused("SCHEMA_GAP", () => plan("3", { applied: ["1", "3"] }), /not the older 2/);
    refused(
      "SCHEMA_DIRTY",
      () => plan("3", { observed: { tracked: [{ version: "2", success: false }] } }),
      /app 2 .*public\.schema_migrations/,
    );
    refused(
      "SCHEMA_EDITED",
      () => plan("3", { applied: ["1", "2"], ledger: [stored(m1, { checksum: "other" }), stored(m2)] }),
      /state = 'applied'/,
    );
  });

  it("goes back over a gap and over an edited file: nothing of that needs them", () => {
    const made = plan("1", { applied: ["1", "3"], ledger: [stored(m1, { checksum: "other" }), stored(m3)] });
    assert.deepEqual(steps(made), ["reverse 3 from ledger"]);
    assert.deepEqual(
      made.notes.map(({ code }) => code),
      ["SCHEMA_EDITED"],
    );
  });

  it("classes a reversal by what it destroys, and by what the migration had destroyed", () => {
    const drops = file(4, "ALTER TABLE a DROP COLUMN b", "ALTER TABLE a ADD b int");
    const does = file(5, "SELECT 1", "DO $$ BEGIN NULL; END $$");
    const made = plan("0", { files: [...all, drops, does], applied: ["1", "2", "3", "4", "5"] });
    assert.deepEqual(
      made.steps.map((step) => step.class),
      ["opaque", "structure only", "exact", "destroys data", "destroys data"],
    );
  });

  it("shows the plan as a table with locks and losses", () => {
    const made = plan("1", { applied: ["1", "2", "3"], ledger: all.map((each) => stored(each)) });
    const sizes = new Map([["app", new Map([[`"a"`, { rows: 1234, bytes: 2_500_000 }]])]]);
    const text = describePlan({ release: "1.0", databases: [made], sizes });
    assert.match(text, /^app 3 → 1: 2 migrations reversed in one transaction\n/);
    assert.match(text, /reverse.*3 m3.*exact.*i: access exclusive/);
    assert.match(
      text,
      /reverse.*2 m2.*destroys data.*a: access exclusive.*column a\.b \(about 1,234 rows, 2\.4 MB\)/,
    );
  });

  it("runs a reversal as the owner, keeps what it destroys as the operator, and removes the record; what is empty needs no keeping", () => {
    const made = plan("1", { applied: ["1", "2"], ledger: [stored(m1), stored(m2)] });
    const context = {
      run: "r",
      owner: "app_owner",
      tracking: reader.trackingTable,
      lockTimeoutMs: 100,
      statementTimeoutMs: 0,
    };
    const lines = (empty: string[]) => stepsSql(made.steps, 1, context, new Set(empty)).split("\n;\n");
    assert.deepEqual(lines([]), [
      'SET LOCAL ROLE "app_owner"',
      'SELECT 1 AS "rollback step"',
      "SET LOCAL ROLE NONE",
      `SELECT rollback.keep_columns(rollback.resolve('table', '"a"', 'app_owner'), 'drop', ARRAY['b']::text[], '2', 'r')`,
      'SET LOCAL ROLE "app_owner"',
      "ALTER TABLE a DROP COLUMN b",
      "SET LOCAL ROLE NONE",
    ]);
    assert.deepEqual(lines(['"a"']), [
      'SET LOCAL ROLE "app_owner"',
      'SELECT 1 AS "rollback step"',
      "ALTER TABLE a DROP COLUMN b",
      "SET LOCAL ROLE NONE",
    ]);
    assert.equal(
      reader.trackingTable.remove(
        made.steps.map(({ version, name }) => ({ version, name, checksum: "" })),
        "1",
      ),
      'DELETE FROM "public"."schema_migrations" WHERE version::text::numeric IN (2)',
    );
  });
});
