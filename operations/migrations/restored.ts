import type { ClientBase } from "pg";
import { Refusal } from "../../settings/refusal.ts";
import { compareCatalogues, describeChanges } from "./catalogue/changes.ts";
import type { CatalogueChanges } from "./catalogue/changes.ts";
import type { Catalogue } from "./catalogue/read.ts";
import { sameButForSpace } from "./function-text.ts";
import { changesOf, recordedCatalogue } from "./ledger/write.ts";
import type { DatabasePlan } from "./plan.ts";

/**
 * How the catalogue differs from the one before the oldest reversed migration, as far as that can be told; empty: in nothing
 * that counts, or only in what an earlier reversal left and was accepted then.
 */
export async function differencesFrom(
  client: ClientBase,
  plan: DatabasePlan,
  now: Catalogue,
): Promise<string[]> {
  const recorded = await recordedCatalogue(client);
  const ids = plan.steps.flatMap((step) => step.ledgerId ?? []);
  const changes = await changesOf(client, ids);
  if (recorded === undefined || changes === undefined) {
    return ["the catalogue is another than before the migration"];
  }
  const expected = new Map(recorded.catalogue);
  for (const change of changes) undo(expected, change);
  return describeChanges(withoutSpace(compareCatalogues(expected, now)));
}

/** Without functions that only have their lines broken or indented in another way. */
function withoutSpace(changes: CatalogueChanges): CatalogueChanges {
  const counts = ([key, { before, after }]: [string, { before: string; after: string }]): boolean =>
    !(/^(function|procedure) /.test(key) && sameButForSpace(before, after));
  return { ...changes, changed: Object.fromEntries(Object.entries(changes.changed).filter(counts)) };
}

function undo(catalogue: Map<string, string>, { removed, changed, added }: CatalogueChanges): void {
  for (const key of Object.keys(added)) catalogue.delete(key);
  for (const [key, { before }] of Object.entries(changed)) catalogue.set(key, before);
  for (const [key, definition] of Object.entries(removed)) catalogue.set(key, definition);
}

/** The refusal of a reversal that does not lead back to where the migration came from. */
export function notRestored(plan: DatabasePlan, differences: readonly string[]): Refusal {
  const versions = plan.steps.map((step) => step.version).join(", ");
  return new Refusal({
    code: "SCHEMA_NOT_RESTORED",
    found: `after reversing ${versions} the schema of ${plan.database} is not what it was before:\n${differences.map((line) => `  ${line}`).join("\n")}`,
    untouched: "Everything was rolled back; the schema is as it was before this run.",
    next: `Correct the stored reversal (column down of rollback.migration in ${plan.database}), then run \`pulumi up\` again.\nOr take the difference: rollback:safety: { onDifference: warn }`,
  });
}
