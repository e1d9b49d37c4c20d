import type { ClientBase } from "pg";
import { sqlState } from "../../database/errors.ts";
import { identifier, inTransaction } from "../../database/query.ts";
import { compareCatalogues, describeChanges } from "../catalogue/changes.ts";
import { readCatalogue } from "../catalogue/read.ts";
import type { Catalogue } from "../catalogue/read.ts";
import type { TrackingName } from "../catalogue/sql.ts";
import { understand } from "../sql/script.ts";
import { difference } from "./difference.ts";
import type { Difference } from "./difference.ts";
import { renameGroups, renames } from "./renames.ts";
import { readSnapshot } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";

/** Where SQL of a migration is tried out: a database that nobody needs. */
export interface Scratch {
  readonly client: ClientBase;
  readonly tracking: TrackingName;
  /** Role that the SQL runs as. */
  readonly owner: string;
}

/** What one migration was found to do to a schema, and how that is undone. */
export interface ProvenDraft extends Difference {
  /** What is different after up and draft from before; empty: nothing. */
  readonly differences: readonly string[];
  /** Why the draft, or the migration after it, could not be run. */
  readonly failed: string | undefined;
}

/** Runs SQL as the owner in one transaction, as a run of this program would; statement by statement where it would do that. */
export async function runAsOwner({ client, owner }: Scratch, sql: string, where: string): Promise<void> {
  const { statements } = understand(sql, where);
  const runAll = async (local: string): Promise<void> => {
    await client.query(`SET ${local} ROLE ${identifier(owner)}`);
    for (const statement of statements) await client.query(statement.sql);
  };
  try {
    if (statements.some(({ outside }) => outside?.hasPlainForm === false)) await runAll("SESSION");
    else await inTransaction(client, () => runAll("LOCAL"));
  } catch (error) {
    // A label of an enum that was added cannot be used before it is committed.
    if (sqlState(error) !== "55P04") throw error;
    await runAll("SESSION");
  } finally {
    await client.query("RESET ROLE; RESET ALL");
  }
}

/**
 * Applies `up` to the scratch database as it stands, drafts its reversal from the catalogue before and after, and proves it:
 * down, compare, up again, compare, down again. Throws what the server says when `up` itself cannot be applied.
 */
export async function draftAndProve(
  scratch: Scratch,
  up: string,
  positions: ReadonlyMap<string, string>,
): Promise<ProvenDraft> {
  const before = await look(scratch);
  await runAsOwner(scratch, up, "up");
  const after = await look(scratch);
  const draft = await draftOn(scratch, before.snapshot, positions);
  const sql = draft.statements.join(";\n");
  const differences: string[] = [];
  let failed: string | undefined;
  try {
    for (const round of ["", " the second time"]) {
      await runAsOwner(scratch, sql, "the draft");
      differences.push(...changes(before.catalogue, (await look(scratch)).catalogue));
      if (differences.length > 0 || round !== "") break;
      await runAsOwner(scratch, up, "up");
      const again = changes(after.catalogue, (await look(scratch)).catalogue);
      if (again.length > 0)
        throw new Error(`after the draft the migration does something else: ${again.join("; ")}`);
    }
  } catch (error) {
    failed = error instanceof Error ? error.message : String(error);
  }
  return { ...draft, differences, failed };
}

/** Drafts against the scratch database, which is left as it is. */
async function draftOn(
  scratch: Scratch,
  before: Snapshot,
  positions: ReadonlyMap<string, string>,
): Promise<Difference> {
  const { client, owner, tracking } = scratch;
  const statements: string[] = [];
  await client.query("BEGIN");
  try {
    let now = await readSnapshot(client, tracking);
    for (const kinds of renameGroups) {
      const renaming = renames(before, now, kinds);
      if (renaming.length === 0) continue;
      await client.query(
        [`SET LOCAL ROLE ${identifier(owner)}`, ...renaming, "SET LOCAL ROLE NONE"].join("; "),
      );
      statements.push(...renaming);
      now = await readSnapshot(client, tracking);
    }
    const found = difference(before, now, { owner: roleName(owner), positions });
    return { ...found, statements: [...statements, ...found.statements] };
  } finally {
    await client.query("ROLLBACK");
  }
}

async function look({ client, tracking }: Scratch): Promise<{ catalogue: Catalogue; snapshot: Snapshot }> {
  return inTransaction(client, async () => ({
    catalogue: await readCatalogue(client, tracking),
    snapshot: await readSnapshot(client, tracking),
  }));
}

function changes(before: Catalogue, now: Catalogue): string[] {
  return describeChanges(compareCatalogues(before, now));
}

/** A role's name as `regrole` writes it. */
export function roleName(role: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(role) ? role : identifier(role);
}
