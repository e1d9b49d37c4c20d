import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { layoutReader, readMigrations } from "../../../operations/migrations/layouts/index.ts";
import type { Layout } from "../../../settings/types.ts";
import { migrationOrder, isWithin, position } from "../../../operations/migrations/order.ts";
import { compareNumbers } from "../../../operations/migrations/layouts/layout.ts";
import type { Migration } from "../../../operations/migrations/types.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { databaseAt, migrationsFolder } from "../../support/migrations.ts";

async function read(files: Record<string, string | Uint8Array>): Promise<Migration[]> {
  const folder = await migrationsFolder(files);
  try {
    return await readMigrations(databaseAt("app", folder.path));
  } finally {
    await folder.remove();
  }
}

async function refused(files: Record<string, string | Uint8Array>, code: string): Promise<void> {
  await assert.rejects(read(files), (error) => {
    assert.ok(isRefusal(error, code), String(error));
    return true;
  });
}

describe("the Meal Planner's layout", () => {
  it("pairs files by number, whatever the reversal is called, and orders by number", async () => {
    const found = await read({
      "0010_last.sql": "SELECT 10",
      "009_before.sql": "SELECT 9",
      "001_first.sql": "SELECT 1",
      "rollback/009_revert_something.sql": "SELECT -9",
      "README.md": "no migration",
    });
    assert.deepEqual(
      found.map(({ version, name, file, up, down }) => [version, name, file, up, down]),
      [
        ["1", "first", "001_first.sql", "SELECT 1", undefined],
        ["9", "before", "009_before.sql", "SELECT 9", "SELECT -9"],
        ["10", "last", "0010_last.sql", "SELECT 10", undefined],
      ],
    );
  });

  it("reads versions beyond what a number in JavaScript can hold", async () => {
    const found = await read({ "20260102030405001_a.sql": "", "20260102030405002_b.sql": "" });
    assert.deepEqual(
      found.map(({ version }) => version),
      ["20260102030405001", "20260102030405002"],
    );
  });

  it("reads a file with byte order mark and CRLF as the same migration", async () => {
    const [plain] = await read({ "1_a.sql": "SELECT 1;\nSELECT 2;\n" });
    const [windows] = await read({ "1_a.sql": "\uFEFFSELECT 1;\r\nSELECT 2;\r\n" });
    assert.deepEqual(windows, plain);
  });

  it("refuses what it cannot be sure of", async () => {
    await refused({ "01_a.sql": "", "001_b.sql": "" }, "MIGRATION_DUPLICATE");
    await refused({ "1_a.sql": "", "rollback/1_a.sql": "", "rollback/001_b.sql": "" }, "MIGRATION_DUPLICATE");
    await refused({ "1_a.sql": "", "rollback/2_b.sql": "" }, "MIGRATION_UP_MISSING");
    await refused({ "README.md": "" }, "MIGRATION_NONE");
    await refused({ "1_a.sql": new Uint8Array([0xff, 0xfe, 0x53]) }, "MIGRATION_ENCODING");
    const folder = await migrationsFolder();
    try {
      await symlink("nowhere", join(folder.path, "1_a.sql"));
      await assert.rejects(readMigrations(databaseAt("app", folder.path)), /MIGRATION_FILE.*ENOENT/);
    } finally {
      await folder.remove();
    }
    await assert.rejects(
      readMigrations(databaseAt("app", "/nowhere")),
      /MIGRATION_FOLDER.*\/nowhere.*ENOENT/s,
    );
  });
});

describe("the order of migrations", () => {
  const files = ["1", "2", "4"].map((version) => ({ version }));
  const reader = { compare: compareNumbers };

  it("puts applied ones without a file where they belong", () => {
    assert.deepEqual(migrationOrder(files, ["1", "3", "9"], reader), ["1", "2", "3", "4", "9"]);
  });

  it("decides ranges by position, both ends included", () => {
    const order = ["9", "10", "11"];
    assert.deepEqual(
      ["9", "10", "11", "12"].map((version) => isWithin(order, version, { from: "9", to: "10" })),
      [true, true, false, false],
    );
    assert.equal(isWithin(order, "10", { from: "8", to: "11" }), false);
    assert.equal(position(order, "10"), 1);
  });
});

describe("telling a layout by the content of its folder", () => {
  async function found(files: Record<string, string>, layout?: Layout): Promise<string[]> {
    const folder = await migrationsFolder(files);
    try {
      const database = databaseAt("app", folder.path, layout);
      return [
        (await layoutReader(database)).name,
        ...(await readMigrations(database)).map(({ version }) => version),
      ];
    } finally {
      await folder.remove();
    }
  }
  const sets: readonly (readonly [Layout, Record<string, string>, string])[] = [
    ["meal-planner", { "1_a.sql": "SELECT 1", "rollback/1_a.sql": "SELECT 2" }, "1"],
    ["golang-migrate", { "000001_a.up.sql": "SELECT 1", "000001_a.down.sql": "SELECT 2" }, "1"],
    [
      "dbmate",
      { "2024_a.sql": "-- migrate:up\nSELECT 1\n-- migrate:down\n", "schema.sql": "SELECT 9" },
      "2024",
    ],
    [
      "diesel",
      { "2024-01-02-030405_a/up.sql": "SELECT 1", "2024-01-02-030405_a/down.sql": "" },
      "20240102030405",
    ],
    ["flyway", { "V1_2__a_b.sql": "SELECT 1", "deep/er/U1.2__a_b.sql": "SELECT 2" }, "1.2"],
    ["goose", { "00001_a.sql": "-- +goose up\nSELECT 1;\n-- +goose down\n" }, "1"],
    ["node-pg-migrate", { "1700_a.sql": "-- Up Migration\nSELECT 1;\n-- Down Migration\n" }, "1700_a"],
    ["sql-migrate", { "first.sql": "-- +migrate Up\nSELECT 1;\n-- +migrate Down\n" }, "first"],
    ["atlas", { "20240102_a.sql": "SELECT 1", "atlas.sum": "h1:x=\n" }, "20240102"],
  ];
  for (const [layout, files, version] of sets) {
    it(`knows ${layout}`, async () => {
      assert.deepEqual(await found(files), [layout, version]);
    });
  }

  it("refuses a folder that could be more than one's, with what it saw, unless told which", async () => {
    const files = { "1_a.up.sql": "SELECT 1", "2_b.sql": "-- +goose Up\nSELECT 1;\n" };
    await assert.rejects(
      found(files),
      /MIGRATION_LAYOUT.*1_a\.up\.sql \(golang-migrate\).*2_b\.sql \(goose\)/s,
    );
    assert.deepEqual(await found(files, "golang-migrate"), ["golang-migrate", "1"]);
  });

  it("refuses a folder that is another's than was said, and one that is nobody's", async () => {
    await assert.rejects(
      found({ "V1__a.sql": "" }, "dbmate"),
      /MIGRATION_LAYOUT.*dbmate.*V1__a\.sql \(flyway\)/s,
    );
    await assert.rejects(found({ "notes.sql": "SELECT 1" }), /MIGRATION_NONE/);
  });
});
