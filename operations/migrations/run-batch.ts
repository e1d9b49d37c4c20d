import pg from "pg";
import type { Client } from "pg";
import type { Batch } from "./batches.ts";
import { asStepError } from "./failures.ts";
import type { DatabasePlan } from "./plan.ts";
import { stepColumn, stepsSql } from "./statements.ts";
import type { RunContext } from "./statements.ts";
import type { TransactionOptions } from "./transaction-options.ts";

/** Sends a batch; the rows by which its steps announce themselves tell the progress, and where an error came from. */
export async function runBatch(
  client: Client,
  batch: Batch,
  first: number,
  plan: DatabasePlan,
  context: RunContext,
  options: TransactionOptions,
  { empty, pending }: { empty: ReadonlySet<string>; pending: ReadonlySet<string> },
): Promise<void> {
  let current = batch.steps[0];
  try {
    await new Promise<void>((resolve, reject) => {
      const query = new pg.Query<Record<string, unknown>>(
        stepsSql(batch.steps, first, context, empty, pending),
      );
      query.on("row", (row) => {
        const number = row[stepColumn];
        if (typeof number !== "number") return;
        current = batch.steps[number - first] ?? current;
        if (current !== undefined) options.onStep(current, number, plan.steps.length);
      });
      query.on("error", reject);
      query.on("end", () => resolve());
      client.query(query);
    });
  } catch (error) {
    throw current === undefined ? error : asStepError(current, error);
  }
}
