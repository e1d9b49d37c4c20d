import type { Client } from "pg";
import { Refusal } from "../../settings/refusal.ts";
import { isUnreachable, sqlState } from "../database/errors.ts";
import { identifier } from "../database/query.ts";
import { isPassing } from "./failures.ts";
import type { DatabasePlan } from "./plan.ts";
import type { RunContext } from "./statements.ts";

/**
 * After a reversal, inside its transaction: what the version gone back to asks of itself. It leaves nothing behind. Throws
 * `SCHEMA_NOT_VERIFIED`, or warns where differences are to be kept.
 */
export async function verifyReversal(
  client: Client,
  { verify, database, steps }: DatabasePlan,
  { owner }: RunContext,
  { onDifference, warn }: { readonly onDifference: "refuse" | "warn"; readonly warn: (text: string) => void },
): Promise<void> {
  if (verify === undefined) return;
  await client.query(`SAVEPOINT rollback_verify; SET LOCAL ROLE ${identifier(owner)}`);
  try {
    for (const statement of verify.statements) await client.query(statement);
  } catch (error) {
    if (isPassing(error) || isUnreachable(error) || sqlState(error) === undefined) throw error;
    await client.query("ROLLBACK TO rollback_verify");
    const reversed = steps.filter(({ direction }) => direction === "reverse").map(({ version }) => version);
    const failed = notVerified(database, verify.version, reversed, error);
    if (onDifference === "refuse") throw failed;
    warn(`${failed.code}: ${failed.details.found}`);
  }
  await client.query("ROLLBACK TO rollback_verify; RELEASE rollback_verify; SET LOCAL ROLE NONE");
}

function notVerified(
  database: string,
  version: string,
  reversed: readonly string[],
  cause: unknown,
): Refusal {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Refusal({
    code: "SCHEMA_NOT_VERIFIED",
    found: `after reversing ${reversed.join(", ")} the verify script of ${database} ${version} fails: ${why}.`,
    untouched: "Everything was rolled back; the schema is as it was before this run.",
    next: `Correct the reversal (column down of rollback.migration in ${database}) or the script (column verify, version ${version}), then run \`pulumi up\` again.\nOr take it as it is: rollback:safety: { onDifference: warn }`,
    cause,
  });
}
