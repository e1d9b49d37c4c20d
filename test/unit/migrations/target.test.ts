import assert from "node:assert/strict";
import { checksum } from "../../../operations/migrations/layouts/files.ts";
import { readerOf } from "../../../operations/migrations/layouts/index.ts";
import type { LayoutReader } from "../../../operations/migrations/layouts/layout.ts";
import { planDatabase } from "../../../operations/migrations/planning/database.ts";
import { loadParser } from "../../../operations/migrations/sql/parse.ts";
import { versionOf, wayTo } from "../../../operations/migrations/target.ts";
import type { Open } from "../../../operations/migrations/target.ts";
import type { Migration } from "../../../operations/migrations/types.ts";

function file(version: number): Migration {
  const up = `CREATE TABLE t${version} ()`;
  return {
    version: String(version),
    name: `t${version}`,
    file: `${version}.sql`,
    up,
    down: `DROP TABLE t${version}`,
    verify: undefined,
    transactional: true,
    checksum: checksum(up),
  };
}

/** Migrations 1 to 5, of which these are applied. */
function standing(applied: readonly number[], reader: LayoutReader = readerOf("golang-migrate")): Open {
  const tracked = applied.map((version) => ({ version: String(version), success: true }));
  return {
    files: [1, 2, 3, 4, 5].map(file),
    observed: { database: "app", tracked, ledger: undefined, maxPrepared: 0, prepared: 0 },
    reader,
  };
}

describe("how far to go", () => {
  it("counts steps from where the database stands, in both directions", () => {
    const open = standing([1, 2, 3]);
    const steps = [-3, -2, 0, 1, 2].map((count) => versionOf({ steps: count }, open));
    assert.deepEqual(steps, ["0", "1", "3", "4", "5"]);
  });

  it("tells the migration 0 from having none", async () => {
    await loadParser();
    const files = [0, 1].map(file);
    const tracked = files.map(({ version }) => ({ version, success: true }));
    const open = { ...standing([]), files, observed: { ...standing([]).observed, tracked } };
    assert.equal(versionOf({ steps: -2 }, open), "none");
    assert.equal(wayTo("none", "down", open), "down");
    const reversed = (wanted: string) =>
      planDatabase({ ...open, wanted, owner: "app" }).steps.map(({ version }) => version);
    assert.deepEqual([reversed("0"), reversed("none")], [["1"], ["1", "0"]]);
    assert.deepEqual(planDatabase({ ...standing([1]), wanted: "none", owner: "app" }).to, "0");
  });

  it("refuses more steps than there are, instead of taking all of them", () => {
    assert.throws(() => versionOf({ steps: -3 }, standing([1, 2])), { code: "SCHEMA_TARGET" });
    assert.throws(() => versionOf({ steps: 4 }, standing([1, 2])), { code: "SCHEMA_TARGET" });
  });

  it("counts a late migration where the layout lets it be applied late", () => {
    assert.equal(versionOf({ steps: 1 }, standing([1, 3], readerOf("dbmate"))), "2");
  });

  it("goes to the newest version that a release has applied", () => {
    const open = standing([1, 2, 3]);
    const row = (version: string, release: string) => ({
      id: version,
      version,
      name: "",
      layout: "golang-migrate",
      checksum: "",
      up: "",
      down: undefined,
      class: "exact" as const,
      fingerprintBefore: undefined,
      fingerprintAfter: undefined,
      release,
    });
    const observed = { ...open.observed, ledger: [row("1", "1.0"), row("2", "1.0"), row("3", "1.1")] };
    assert.equal(versionOf({ release: "1.0" }, { ...open, observed }), "2");
    assert.throws(() => versionOf({ release: "0.9" }, { ...open, observed }), /the ledger knows 1\.0, 1\.1/);
  });

  it("refuses a version that lies the other way", () => {
    assert.equal(wayTo("2", undefined, standing([1, 2, 3])), "down");
    assert.equal(wayTo("03", "down", standing([1, 2, 3])), "down");
    assert.throws(() => wayTo("5", "down", standing([1, 2, 3])), { code: "SCHEMA_DIRECTION" });
    assert.throws(() => wayTo("1", "up", standing([1, 2, 3])), { code: "SCHEMA_DIRECTION" });
  });

  it("applies a late migration without taking back the newer ones, and takes back without applying it", async () => {
    await loadParser();
    const open = standing([1, 3], readerOf("dbmate"));
    assert.equal(wayTo("2", "up", open), "up");
    const up = planDatabase({ ...open, wanted: "2", owner: "me", way: "up" });
    assert.deepEqual(
      up.steps.map((step) => [step.direction, step.version]),
      [["forward", "2"]],
    );
    const down = planDatabase({
      ...standing([1, 3, 4], readerOf("dbmate")),
      wanted: "3",
      owner: "me",
      way: "down",
    });
    assert.deepEqual(
      down.steps.map((step) => [step.direction, step.version]),
      [["reverse", "4"]],
    );
  });
});
