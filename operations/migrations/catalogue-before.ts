import type { ClientBase } from "pg";
import { readCatalogue } from "./catalogue/read.ts";
import type { Catalogue } from "./catalogue/read.ts";
import { recordedCatalogue } from "./ledger/write.ts";
import type { DatabasePlan } from "./plan.ts";
import type { RunContext } from "./statements.ts";

/** The catalogue that a forward step found. What it finishes of another run's was begun in the catalogue recorded last. */
export async function catalogueBefore(
  client: ClientBase,
  { halfDetached }: DatabasePlan,
  { tracking }: RunContext,
): Promise<Catalogue> {
  const recorded = halfDetached === undefined ? undefined : await recordedCatalogue(client);
  return recorded?.catalogue ?? (await readCatalogue(client, tracking));
}
