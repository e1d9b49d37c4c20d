import type { ClientBase } from "pg";
import { Refusal } from "../../settings/refusal.ts";
import { isUnreachable } from "../database/errors.ts";
import { identifier } from "../database/query.ts";
import { isPassing } from "./failures.ts";
import type { ReversedMigration } from "./layouts/layout.ts";
import type { DatabasePlan } from "./plan.ts";
import type { RunContext } from "./statements.ts";
import { stepsOf } from "./steps.ts";

/** Keeps the tool's own table in step, as the owner, in the same transaction. */
export async function track(client: ClientBase, plan: DatabasePlan, context: RunContext): Promise<void> {
  const { tracking } = context;
  const back = stepsOf(plan, "reverse");
  const forth = stepsOf(plan, "forward").flatMap((step) => step.migration ?? []);
  const leaving = new Set(back.map(({ version }) => version));
  const before = plan.applied.filter((version) => !leaving.has(version)).at(-1);
  const statements = [
    ...(back.length === 0 ? [] : [tracking.remove(back, before)]),
    ...(forth.length === 0 ? [] : [tracking.record(forth, before)]),
  ];
  if (statements.length === 0) return;
  try {
    await asOwner(client, context, statements);
  } catch (error) {
    throw isPassing(error) || isUnreachable(error) ? error : untracked(plan, error);
  }
}

/**
 * The SQL that takes a migration out of the tool's table when it is the newest that the plan leaves or makes: for whoever takes
 * it back without this program.
 */
export function untracking(plan: DatabasePlan): (migration: ReversedMigration) => string {
  const leaving = new Set(stepsOf(plan, "reverse").map(({ version }) => version));
  const all = [
    ...plan.applied.filter((version) => !leaving.has(version)),
    ...stepsOf(plan, "forward").map(({ version }) => version),
  ];
  const at = new Map(all.map((version, index) => [version, index]));
  return ({ version, name }) =>
    plan.reader.trackingTable.remove([{ version, name }], all[(at.get(version) ?? 0) - 1]);
}

/** Runs statements as the role that owns the application's objects. */
export async function asOwner(
  client: ClientBase,
  { owner }: RunContext,
  statements: readonly string[],
): Promise<void> {
  await client.query(
    [`SET LOCAL ROLE ${identifier(owner)}`, ...statements, "SET LOCAL ROLE NONE"].join("; "),
  );
}

/** E.g. a trigger of the application that lets only its own tool write to the table. */
function untracked(plan: DatabasePlan, error: unknown): Refusal {
  const { schema, table } = plan.reader.trackingTable;
  return new Refusal({
    code: "SCHEMA_NOT_TRACKED",
    found: `${schema}.${table} of ${plan.database} does not take the record of what was done: ${error instanceof Error ? error.message : String(error)}.`,
    untouched: "The whole transaction was rolled back; every database is as it was before this run.",
    next: `Let the owner role write to ${schema}.${table} (a trigger or a privilege is in the way), then run \`pulumi up\` again.`,
    cause: error,
  });
}
