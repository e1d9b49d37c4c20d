import pg from "pg";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import { isUnreachable, sqlState } from "../database/errors.ts";
import type { Step } from "./steps.ts";

/** SQLSTATEs after which the same transaction may well succeed: lock_not_available, deadlock_detected, serialization_failure. */
const passing = new Set(["55P03", "40P01", "40001"]);

/** Whether trying again makes sense. */
export function isPassing(error: unknown): boolean {
  return passing.has(sqlState(error) ?? "");
}

/** An error of a step as a Refusal that names the migration; passing ones and lost connections are given back as they are. */
export function asStepError(step: Step, error: unknown): unknown {
  if (isPassing(error) || isUnreachable(error) || isRefusal(error) || !(error instanceof pg.DatabaseError))
    return error;
  const detail = [error.detail, error.hint].filter((text) => text !== undefined).join(" ");
  return new Refusal({
    code: "SCHEMA_STEP_FAILED",
    found: `${step.where} ${step.name} failed: ${error.message}${detail === "" ? "" : ` (${detail})`} [${error.code ?? "?"}].`,
    untouched: "The whole transaction was rolled back; every database is as it was before this run.",
    next:
      step.direction === "forward"
        ? `Correct the migration, then run \`pulumi up\` again.`
        : `Correct the stored reversal (column down of rollback.migration in ${step.database}, version ${step.version}), then run \`pulumi up\` again.`,
    cause: error,
  });
}

/** The locks were not granted within the budget. */
export function lockedOut(
  databases: readonly string[],
  tries: number,
  budgetMs: number,
  holders: readonly string[],
  cause: unknown,
): Refusal {
  const who = holders.length === 0 ? "" : ` Held by ${holders.join("; ")}.`;
  return new Refusal({
    code: "SCHEMA_LOCKED",
    found: `the locks for changing ${databases.join(", ")} were not granted in ${(budgetMs / 1000).toFixed(1)} s (${tries} tries).${who}`,
    untouched: "Every try was rolled back; every database is as it was before this run.",
    next: "End the sessions that hold the tables, or raise the budget, then run `pulumi up` again.",
    cause,
  });
}

/** The connection broke; the server rolls back what was not committed. */
export function connectionLost(database: string, cause: unknown): Refusal {
  return new Refusal({
    code: "SCHEMA_CONNECTION_LOST",
    found: `the connection to ${database} broke (${cause instanceof Error ? cause.message : String(cause)}).`,
    untouched: "The server rolls back what was not committed.",
    next: "Run `pulumi up` again: it looks at what is there and goes on from that.",
    cause,
  });
}

/** The run is decided, but databases still wait for it with their transactions prepared and their locks held. */
export function unfinished(databases: readonly string[], cause: unknown): Refusal {
  return new Refusal({
    code: "SCHEMA_UNFINISHED",
    found: `${databases.join(", ")} ${databases.length === 1 ? "has" : "have"} a prepared transaction of a run that ended early, which still holds its locks.`,
    untouched: "Nothing is lost: whether it is committed or rolled back is decided and recorded.",
    next: "Run `pulumi up`: it finishes that before it does anything else.",
    cause,
  });
}
