import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../../database/query.ts";
import type { DatabasePlan } from "../plan.ts";

/** Versions among a plan's forward steps whose last reversal archived what has not been put back yet. */
export async function pendingArchives(client: ClientBase, plan: DatabasePlan): Promise<ReadonlySet<string>> {
  const forward = plan.steps.filter((step) => step.direction === "forward").map(({ version }) => version);
  if (forward.length === 0) return new Set();
  const rows = await rowsOf(
    client,
    z.object({ migration: z.string() }),
    "SELECT DISTINCT migration FROM rollback.archive WHERE restored_at IS NULL AND rows > 0 AND migration = ANY ($1)",
    [forward],
  );
  return new Set(rows.map(({ migration }) => migration));
}
