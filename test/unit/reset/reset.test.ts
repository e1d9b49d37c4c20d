import assert from "node:assert/strict";
import { describeReset } from "../../../operations/reset/describe.ts";
import { parseCounts } from "../../../operations/reset/dump.ts";
import { isHalfMade } from "../../../operations/reset/found.ts";
import { bytesNeeded, refuseNewer, refuseWithoutRoom } from "../../../operations/reset/judge.ts";
import { freshMark, freshName, keptMark, keptName } from "../../../operations/reset/names.ts";
import { resetDrift } from "../../../operations/reset/reason.ts";
import type { DumpLoad, ResetPlan } from "../../../operations/reset/types.ts";
import { isRefusal } from "../../../settings/refusal.ts";

const plan: ResetPlan = {
  ...{ kind: "anew", database: "meals", keepAs: "meals_bad", successor: "meals_reset", keptBytes: 7_400_000 },
  ...{ versionBefore: "3", version: "3", migrations: ["1", "2", "3"], tables: undefined },
  dump: {
    ...{ name: "shop-1", folder: "db-meals", version: "2" },
    tables: [
      { table: '"public"."meals"', rows: 2, bytes: 250_000 },
      { table: '"public"."Empty one"', rows: 0, bytes: 0 },
    ],
  },
  pack: {
    name: "pack-1",
    rows: [
      { database: "meals", table: "public.meals", change: "write", row: { id: 1 } },
      { database: "meals", table: "public.meals", change: "delete", row: { id: 2 } },
    ],
  },
};

describe("a reset in words", () => {
  it("says what is kept, which migrations are applied, and what is loaded from where", () => {
    assert.deepEqual(describeReset(plan), [
      "meals is made anew, at schema 3; the one in use (7.4 MB) is kept as meals_bad, and what was written to it stays there only",
      "applies to meals_reset 3 migrations, 1 to 3; rows come after 2",
      "loads 2 rows (0.3 MB) of 1 tables from the dump shop-1, which was read in full",
      "  public.meals: 2 rows, 0.3 MB",
      "writes 2 rows of the salvage pack pack-1 over them",
      "  public.meals: 1 written, 1 deleted",
      "everybody goes on working while it is made and loaded; requests wait while the names are changed",
    ]);
  });

  it("warns when nothing is loaded", () => {
    const lines = describeReset({ ...plan, dump: undefined, pack: undefined });
    assert.ok(lines.includes("WARNING: no rows are loaded; meals will hold what its migrations insert"));
  });

  it("is a difference of the world for as long as it is to be done, or has left something", () => {
    assert.deepEqual(resetDrift(undefined), []);
    assert.deepEqual(resetDrift({ plan, left: ["meals_reset"], closed: ["meals"] }), [
      "meals is made anew",
      "meals_reset was left by a reset that did not finish",
      "meals is closed to everybody",
    ]);
  });
});

describe("the rows of a dump", () => {
  it("are counted by table, whatever that is called, without the stack's own records", () => {
    const printed = [
      "3 120 COPY public.meals (id, name) FROM stdin;",
      '1 9 COPY "My schema"."a ""b"" (c).d" (id) FROM stdin;',
      "7 90 COPY rollback.event (id) FROM stdin;",
      "0 0 COPY public.nothing  FROM stdin;",
    ].join("\n");
    assert.deepEqual(parseCounts(printed), [
      { table: '"public"."meals"', rows: 3, bytes: 120 },
      { table: '"My schema"."a ""b"" (c).d"', rows: 1, bytes: 9 },
      { table: '"public"."nothing"', rows: 0, bytes: 0 },
    ]);
  });
});

describe("names and marks of a reset", () => {
  it("fit into PostgreSQL's 63 bytes", () => {
    const long = "m".repeat(63);
    const names = [freshName(long), keptName(long, new Date("2026-11-28T03:15:00.123Z"))];
    assert.deepEqual(
      names.map((name) => [name.length, name.slice(-21)]),
      [
        [63, "mmmmmmmmmmmmmmm_reset"],
        [63, "_until_20261128031500"],
      ],
    );
  });

  it("tell a database that was left half made from one that is kept, and from a foreign one", () => {
    const found = (comment: string, closed: boolean): boolean =>
      isHalfMade({ name: "meals_reset", comment, closed, bytes: 0 });
    assert.deepEqual(
      [
        found(freshMark("one"), false),
        // Killed between CREATE DATABASE and its mark.
        found("", true),
        found("", false),
        found(keptMark("shop/prod", "meals"), true),
        found("mine", true),
      ],
      [true, true, false, false, false],
    );
  });
});

describe("rows that cannot be loaded", () => {
  const load = (version: string): DumpLoad => ({ name: "shop-1", folder: "db-meals", version, tables: [] });
  const order = ["1", "2", "10"];

  it("are those of a newer schema, by position, and of one that no migration makes", () => {
    refuseNewer(load("2"), "10", order, "meals");
    refuseNewer(load("10"), "10", order, "meals");
    for (const [version, wanted] of [
      ["10", "2"],
      ["9", "10"],
    ] as const)
      assert.throws(
        () => refuseNewer(load(version), wanted, order, "meals"),
        (error) => isRefusal(error, "RESET_DUMP_NEWER"),
      );
  });

  it("are those that do not fit on the disk, with their indexes and the WAL", () => {
    const needed = bytesNeeded(plan.dump, plan.pack);
    assert.ok(needed > 3 * 250_000);
    refuseWithoutRoom(needed, needed);
    assert.throws(
      () => refuseWithoutRoom(needed, needed - 1),
      (error) => isRefusal(error, "RESET_NO_SPACE"),
    );
  });
});
