import assert from "node:assert/strict";
import fc from "fast-check";
import { loadParser } from "../../operations/migrations/sql/parse.ts";
import { schemaAndChanges } from "./ddl.ts";
import { tryDraft } from "./drafts.ts";
import { testDatabases } from "./migrations.ts";
import type { TestDatabases } from "./migrations.ts";
import { startPostgres } from "./postgres.ts";
import type { TestPostgres } from "./postgres.ts";

/** Share of the migrations that a draft must undo wholly: one that always says that it cannot would be of no use. */
const atLeast = 0.9;

/**
 * The property of drafting, over so many generated pairs of a schema and a migration. With a seed they are the same each
 * time; without one others, and a failure tells its seed.
 */
export function draftingProperties(runs: number, seed?: number): void {
  let postgres: TestPostgres;
  let databases: TestDatabases;
  before(async function () {
    this.timeout(120_000);
    await loadParser();
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    await databases.sql("postgres", "CREATE ROLE reader");
  });
  after(() => postgres.remove());

  it("restores the schema with what it drafts, or says that it cannot", async function () {
    this.timeout(runs * 5_000 + 60_000);
    const unproven: string[] = [];
    let drafted = 0;
    await fc.assert(
      fc.asyncProperty(schemaAndChanges, async ({ schema, changes }) => {
        const { up, draft, restored } = await tryDraft(databases, schema, changes);
        if (draft === undefined) return;
        drafted++;
        const text = `${up}\n-- draft:\n${draft.statements.join(";\n")}`;
        const proven = draft.failed === undefined && draft.differences.length === 0;
        if (!proven) unproven.push(`${text}\n-- ${draft.failed ?? draft.differences.join("; ")}`);
        // Run anew on another database, and compared by another way than the draft's own proof.
        assert.equal(restored, proven, text);
      }),
      // The smallest of a hundred statements takes longer to find than to read the case that failed.
      { numRuns: runs, endOnFailure: true, ...(seed === undefined ? {} : { seed }) },
    );
    assert.ok(drafted > runs / 2, `only ${String(drafted)} of ${String(runs)} migrations could be applied`);
    assert.ok(unproven.length <= drafted * (1 - atLeast), unproven.join("\n\n"));
  });
}
