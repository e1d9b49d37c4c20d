import assert from "node:assert/strict";
import { archiveTime, refuseBeyond, type Limits } from "../../../operations/migrations/limits.ts";
import type { DatabasePlan } from "../../../operations/migrations/plan.ts";
import { loadParser } from "../../../operations/migrations/sql/parse.ts";
import { stepOf } from "../../../operations/migrations/steps.ts";
import { isRefusal } from "../../../settings/refusal.ts";

const limits: Limits = { archiveMs: 15_000, opaque: "refuse", allow: { archive: "more", opaque: "anyway" } };
const huge = new Map([['"meals"', { rows: 10_000_000, bytes: 8e9 }]]);
const none = new Map<string, never>();

function plan(direction: "forward" | "reverse", ...sql: string[]): Pick<DatabasePlan, "database" | "steps"> {
  const steps = sql.map((text, n) =>
    stepOf({ direction, database: "app", version: String(n), name: "x", sql: text, source: "ledger" }),
  );
  return { database: "app", steps };
}

describe("the limits of a reversal", () => {
  before(loadParser);

  it("refuse what only a DO block or a call knows, with its line, unless it is accepted", () => {
    const opaque = plan("reverse", "DROP TABLE a;\nDO $$ BEGIN DELETE FROM b; END $$;");
    assert.throws(
      () => refuseBeyond(opaque, none, limits),
      (error) => isRefusal(error, "SCHEMA_OPAQUE") && /line 2: a DO block/.test(error.message),
    );
    refuseBeyond(opaque, none, { ...limits, opaque: "accept" });
    refuseBeyond(plan("forward", "DO $$ BEGIN END $$;"), none, limits);
  });

  it("refuse an archive that takes too long, and say how it is allowed", () => {
    const drop = plan("reverse", "DROP TABLE meals;");
    assert.throws(
      () => refuseBeyond(drop, huge, limits),
      (error) => isRefusal(error, "SCHEMA_ARCHIVE_LONG") && /about 100 s/.test(error.message),
    );
    refuseBeyond(drop, huge, { ...limits, archiveMs: 200_000 });
    refuseBeyond(drop, none, limits);
  });

  it("reckon a column by its rows, and a table once however often it is hit", () => {
    assert.equal(archiveTime(plan("reverse", "ALTER TABLE meals DROP COLUMN a;"), huge), 40_000);
    const twice = plan("reverse", "ALTER TABLE meals DROP COLUMN a;", "DELETE FROM meals;");
    assert.equal(archiveTime(twice, huge), 100_000);
  });
});
