import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import { readMigrations, readerOf, recogniseLayouts } from "../../operations/migrations/layouts/index.ts";
import { viewFolder } from "../../operations/migrations/layouts/files.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { fingerprintOf, readCatalogue } from "../../operations/migrations/catalogue/read.ts";
import type { Catalogue } from "../../operations/migrations/catalogue/read.ts";
import { close } from "../../operations/database/connection.ts";
import { layouts } from "../../settings/types.ts";
import type { Layout } from "../../settings/types.ts";
import { layoutFiles } from "../support/layout-files.ts";
import { shop } from "../support/migration-set.ts";
import { databaseAt, migrationsFolder, testDatabases } from "../support/migrations.ts";
import type { TestDatabases, TestFolder } from "../support/migrations.ts";
import { climb } from "../support/staircase.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const forwardOnly: readonly Layout[] = ["graphile-migrate", "atlas"];

describe("layouts on a real server", function () {
  this.timeout(240_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
  });
  after(() => postgres.remove());

  it("climbs a staircase: each step is taken back with data in the tables, and leads to where it came from", async () => {
    await climb(databases, "golang-migrate", shop);
  });

  for (const layout of layouts) {
    describe(layout, () => {
      const { files, versions, tracked } = layoutFiles[layout](shop);
      let folder: TestFolder;
      beforeEach(async () => {
        folder = await migrationsFolder(files);
        await databases.create("shop");
      });
      afterEach(() => folder.remove());

      const to = (version: string): Promise<SchemaResult> =>
        changeSchema(
          {
            databases: [databaseAt("shop", folder.path, layout)],
            wanted: new Map([["shop", version]]),
            release: "1.0",
          },
          databases.open,
        );
      async function catalogue(): Promise<Catalogue> {
        const client = await databases.open("shop");
        try {
          await client.query("BEGIN READ ONLY");
          return await readCatalogue(client, readerOf(layout).trackingTable);
        } finally {
          await close(client);
        }
      }
      async function trackedVersions(): Promise<string[]> {
        const rows = await databases.sql("shop", readerOf(layout).trackingTable.read);
        return rows.map((row) => readerOf(layout).normalise(String(row["version"])) ?? "?");
      }

      it("is recognised, and read in order", async () => {
        const seen = recogniseLayouts(await viewFolder(folder.path));
        assert.deepEqual(
          seen.map((each) => each.layout),
          [layout],
        );
        const read = await readMigrations(databaseAt("shop", folder.path, layout));
        assert.deepEqual(
          read.map(({ version }) => version),
          versions,
        );
        const without = read.filter(({ down }) => down === undefined).length;
        assert.equal(without, forwardOnly.includes(layout) ? shop.length : 0);
      });

      it("goes up, down in one transaction and up again, with its own bookkeeping in step", async () => {
        const [first = "", last = ""] = [versions[0], versions.at(-1)];
        await to(last);
        const top = await catalogue();
        const known = await trackedVersions();
        assert.ok(known.includes(last));
        if (forwardOnly.includes(layout)) {
          await assert.rejects(to(first), /SCHEMA_NO_REVERSAL/);
          return;
        }
        for (const { rows } of shop) if (rows !== undefined) await databases.sql("shop", rows);
        const down = await to(first);
        assert.deepEqual([down.steps, down.tries], [shop.length - 1, 1]);
        assert.deepEqual(await trackedVersions(), [first]);
        await to(last);
        assert.equal(fingerprintOf(await catalogue()), fingerprintOf(top));
        assert.deepEqual(await trackedVersions(), known);
      });

      it("takes over what its own tool has applied", async () => {
        const applied = 12;
        const ups = shop.slice(0, applied).map(({ up }) => up);
        await databases.sql("shop", ["SET ROLE shop_owner", ...ups, tracked(applied)].join(";\n"));
        const before = await catalogue();
        const adopted = await to(versions[applied - 1] ?? "");
        assert.deepEqual([adopted.steps, adopted.changed], [0, ["shop"]]);
        assert.equal(fingerprintOf(await catalogue()), fingerprintOf(before));
        const [ledger] = await databases.sql(
          "shop",
          "SELECT count(*)::int AS n FROM rollback.migration WHERE state = 'applied'",
        );
        assert.deepEqual(ledger, { n: applied });
        await to(versions.at(-1) ?? "");
        if (forwardOnly.includes(layout)) return;
        await to(versions[2] ?? "");
        assert.equal((await catalogue()).has("table public.order_lines"), false);
      });
    });
  }
});
