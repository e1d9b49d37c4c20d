import type { ClientBase } from "pg";
import { close } from "../../operations/database/connection.ts";
import { inTransaction } from "../../operations/database/query.ts";
import { fingerprintNow } from "../../operations/migrations/catalogue/read.ts";
import { draftAndProve, runAsOwner } from "../../operations/migrations/drafting/prove.ts";
import type { ProvenDraft, Scratch } from "../../operations/migrations/drafting/prove.ts";
import type { TestDatabases } from "./migrations.ts";

/** What came of a schema and changes to it: `draft` is undefined when PostgreSQL takes none of the changes. */
export interface Trial {
  /** The changes that PostgreSQL took, as one migration. */
  readonly up: string;
  readonly draft: ProvenDraft | undefined;
  /** Whether schema, changes and draft, run on another new database, give the schema again. */
  readonly restored: boolean;
}

/** Builds the schema in a database of its own, takes what it can of the changes as one migration, drafts and proves. */
export async function tryDraft(
  databases: TestDatabases,
  schema: string,
  changes: readonly string[],
): Promise<Trial> {
  const found = await inNewDatabase(databases, async (scratch) => {
    await runAsOwner(scratch, schema, "the schema");
    const taken: string[] = [];
    for (const change of changes) if (await works(scratch.client, [...taken, change])) taken.push(change);
    const up = taken.join(";\n");
    return { up, draft: taken.length === 0 ? undefined : await draftAndProve(scratch, up, new Map()) };
  });
  const { up, draft } = found;
  if (draft === undefined) return { ...found, restored: false };
  const restored = await inNewDatabase(databases, async (scratch) => {
    const look = (): Promise<string> =>
      inTransaction(scratch.client, () => fingerprintNow(scratch.client, scratch.tracking));
    await runAsOwner(scratch, schema, "the schema");
    const before = await look();
    try {
      for (const sql of [up, draft.statements.join(";\n")]) await runAsOwner(scratch, sql, "the change");
      return (await look()) === before;
    } catch {
      // A draft that fails restores nothing.
      return false;
    }
  });
  return { ...found, restored };
}

async function inNewDatabase<T>(
  databases: TestDatabases,
  work: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  await databases.create("trial");
  const client = await databases.admin("trial");
  try {
    return await work({
      client,
      owner: "trial_owner",
      tracking: { schema: "public", table: "schema_migrations" },
    });
  } finally {
    await close(client);
  }
}

async function works(client: ClientBase, statements: readonly string[]): Promise<boolean> {
  await client.query("BEGIN; SET LOCAL ROLE trial_owner");
  try {
    await client.query(statements.join(";\n"));
    return true;
  } catch {
    // The generator knows nothing of what depends on what: PostgreSQL says which changes are possible.
    return false;
  } finally {
    await client.query("ROLLBACK");
  }
}
