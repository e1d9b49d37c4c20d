import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { readerOf } from "../../operations/migrations/layouts/index.ts";
import type { Layout } from "../../settings/types.ts";
import { layoutFiles } from "../support/layout-files.ts";
import { shop } from "../support/migration-set.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt, migrationsFolder } from "../support/migrations.ts";

const script = join(import.meta.dirname, "../../break-glass/inside/reverse.sql");

describe("the reversal of the break-glass script", function () {
  this.timeout(120_000);
  const tests = migrationTests();

  async function reverse(to: string): Promise<string> {
    const psql = ["psql", "-X", "-U", "postgres", "-d", "shop", "-v", "ON_ERROR_STOP=1"];
    const { stderr, exitCode } = await execa(
      "docker",
      ["exec", "-i", tests.postgres.container, ...psql, "-v", `to=${to}`, "-v", "run=by-hand"],
      { input: await readFile(script, "utf8"), reject: false },
    );
    return exitCode === 0 ? "" : stderr;
  }

  for (const layout of [
    "meal-planner",
    "golang-migrate",
    "flyway",
    "goose",
    "sqitch",
    "sql-migrate",
  ] satisfies Layout[]) {
    it(`takes back what is stored, and keeps the table of ${layout} in step`, async () => {
      const { files, versions } = layoutFiles[layout](shop.slice(0, 6));
      const folder = await migrationsFolder(files);
      await tests.databases.create("shop");
      const to = (version: string): Promise<SchemaResult> =>
        changeSchema(
          {
            databases: [databaseAt("shop", folder.path, layout)],
            wanted: new Map([["shop", version]]),
            release: "1.0",
          },
          tests.databases.open,
        );
      const tracked = async () => {
        const rows = await tests.databases.sql("shop", readerOf(layout).trackingTable.read);
        return rows.map((row) => readerOf(layout).normalise(String(row["version"])) ?? "?");
      };
      const [second = "", last = ""] = [versions[1], versions.at(-1)];
      try {
        await to(second);
        const before = await tracked();
        await to(last);
        const top = await tracked();
        assert.match(await reverse("no-such"), /does not hold no-such as applied/);
        assert.equal(await reverse(second), "");
        assert.deepEqual(await tracked(), before);
        // Nothing that it left is taken for a change by hand.
        assert.equal((await to(last)).steps, versions.length - 2);
        assert.deepEqual(await tracked(), top);
        assert.equal(await reverse("0"), "");
        assert.deepEqual(await tracked(), []);
      } finally {
        await folder.remove();
      }
    });
  }

  it("stops where the tool's table does not hold what is to be taken back", async () => {
    const { files, versions } = layoutFiles.goose(shop.slice(0, 3));
    const folder = await migrationsFolder(files);
    await tests.databases.create("shop");
    const request = {
      databases: [databaseAt("shop", folder.path, "goose")],
      wanted: new Map([["shop", versions.at(-1) ?? ""]]),
      release: "1.0",
    };
    await changeSchema(request, tests.databases.open);
    await tests.databases.sql(
      "shop",
      `DELETE FROM goose_db_version WHERE version_id = ${versions.at(-1) ?? ""}`,
    );
    assert.match(await reverse(versions[0] ?? ""), /not in the table of its tool/);
    await folder.remove();
  });
});
