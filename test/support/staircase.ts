import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { fingerprintOf, readCatalogue } from "../../operations/migrations/catalogue/read.ts";
import { readerOf } from "../../operations/migrations/layouts/index.ts";
import { close } from "../../operations/database/connection.ts";
import type { Layout } from "../../settings/types.ts";
import { layoutFiles } from "./layout-files.ts";
import type { SetMigration } from "./migration-set.ts";
import { databaseAt, migrationsFolder } from "./migrations.ts";
import type { TestDatabases } from "./migrations.ts";
import { missingRows, tableData } from "./table-data.ts";

/**
 * Applies a set step by step in a layout: each migration is applied, gets its rows, is taken back, and is applied again.
 * After each way back the catalogue must be the one before, and every row must be where it was or in the archive; after the
 * second way forth all of them must be where they were.
 */
export async function climb(
  databases: TestDatabases,
  layout: Layout,
  set: readonly SetMigration[],
): Promise<void> {
  const { files, versions } = layoutFiles[layout](set);
  const { trackingTable } = readerOf(layout);
  const folder = await migrationsFolder(files);
  const database = databaseAt("stairs", folder.path, layout);
  const to = (version: string): Promise<SchemaResult> =>
    changeSchema(
      { databases: [database], wanted: new Map([["stairs", version]]), release: "1.0" },
      databases.open,
    );
  const data = () =>
    tableData(databases, "stairs", [
      `public.${trackingTable.table}`,
      trackingTable.schema === "public" ? "" : trackingTable.schema,
    ]);
  async function fingerprint(): Promise<string> {
    const client = await databases.open("stairs");
    try {
      await client.query("BEGIN READ ONLY");
      return fingerprintOf(await readCatalogue(client, trackingTable));
    } finally {
      await close(client);
    }
  }
  try {
    await databases.create("stairs");
    for (const [index, version] of versions.entries()) {
      const before = await fingerprint();
      await to(version);
      const { name = "", rows } = set[index] ?? {};
      if (rows !== undefined) await databases.sql("stairs", rows);
      const previous = versions[index - 1];
      if (previous === undefined) continue;
      const [there, top] = [await data(), await fingerprint()];
      const { archived } = await to(previous);
      assert.equal(await fingerprint(), before, `${layout}: the catalogue after taking back ${name}`);
      for (const [table, count] of missingRows(there, await data())) {
        const kept = archived
          .filter(({ source }) => source === table)
          .reduce((sum, { rows: each }) => sum + each, 0);
        assert.equal(kept, count, `${layout}: rows of ${table} kept when ${name} was taken back`);
      }
      await to(version);
      assert.equal(await fingerprint(), top, `${layout}: the catalogue after applying ${name} again`);
      const lost = missingRows(there, await data());
      assert.deepEqual([...lost], [], `${layout}: rows not put back when ${name} was applied again`);
    }
  } finally {
    await folder.remove();
  }
}
