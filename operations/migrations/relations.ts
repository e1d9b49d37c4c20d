import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { rowsOf } from "../database/query.ts";
import { hasWork } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import { createdTables } from "./sql/created.ts";
import { lockModes } from "./sql/locks.ts";
import { showName } from "./sql/names.ts";
import { strongestLocks } from "./steps.ts";
import type { TableName } from "./types.ts";

/** A table that a plan needs, as it stands in the database. */
export interface Relation {
  /** For people, e.g. `public.meals`. */
  readonly name: string;
  readonly owner: string;
  /** Whether the role that migrations run as has its owner's rights. */
  readonly ours: boolean;
}

/** Those of the tables that exist, none while there is no role `owner`; a name without a schema is looked for in `public`. */
export async function relationsOf(
  client: ClientBase,
  owner: string,
  tables: readonly TableName[],
): Promise<Relation[]> {
  return rowsOf(
    client,
    z.object({ name: z.string(), owner: z.string(), ours: z.boolean() }),
    `SELECT DISTINCT w.schema || '.' || w.name AS name, pg_get_userbyid(c.relowner)::text AS owner,
       pg_has_role(r.oid, c.relowner, 'USAGE') AS ours
     FROM pg_roles r, jsonb_to_recordset($2) AS w (schema text, name text)
     JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
     WHERE r.rolname = $1 ORDER BY 1`,
    [owner, JSON.stringify(tables.map(({ schema = "public", name }) => ({ schema, name })))],
  );
}

/** Tables whose owner a plan has to be: the tool's own, and what its steps change in a way that only owners may. */
export function ownedTables(plan: DatabasePlan): TableName[] {
  if (!hasWork(plan)) return [];
  const { schema, table } = plan.reader.trackingTable;
  const strong = strongestLocks(plan.steps.map((step) => step.script)).filter(
    ({ mode }) => lockModes.indexOf(mode) > lockModes.indexOf("ROW EXCLUSIVE"),
  );
  return [{ schema, name: table }, ...strong.map((lock) => lock.table)];
}

/** Tables that a plan which begins with nothing applied is going to make. */
export function madeFromNothing(plan: DatabasePlan): TableName[] {
  if (!plan.createTracking || plan.from !== undefined) return [];
  return plan.steps.flatMap(({ migration, where }) =>
    migration === undefined ? [] : createdTables(migration.up, where),
  );
}

/** Refuses `SCHEMA_FOREIGN_OWNER`: the migrations' role may not touch what the plan changes. */
export function refuseForeign({ database, owner }: DatabasePlan, relations: readonly Relation[]): void {
  const foreign = relations.filter(({ ours }) => !ours);
  const [first] = foreign;
  if (first === undefined) return;
  const owners = [...new Set(foreign.map((each) => each.owner))];
  const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : "";
  throw new Refusal({
    code: "SCHEMA_FOREIGN_OWNER",
    found: `${first.name}${more} of ${database} belong to ${owners.join(", ")}; ${owner}, as which migrations run, may not change them.`,
    untouched: "Nothing was stopped or changed.",
    next: owners
      .map(
        (role) =>
          `In ${database}:  GRANT ${role} TO ${owner};  or, for a superuser's tables:  ALTER TABLE … OWNER TO ${owner};`,
      )
      .join("\n"),
  });
}

/** Refuses `SCHEMA_UNTRACKED`: what the first migrations are to make is there, and no table says which were applied. */
export function refuseUntracked({ database, reader }: DatabasePlan, relations: readonly Relation[]): void {
  const [first] = relations;
  if (first === undefined) return;
  const { schema, table } = reader.trackingTable;
  const tracking = showName({ schema, name: table });
  throw new Refusal({
    code: "SCHEMA_UNTRACKED",
    found: `${database} has no ${tracking}, yet ${relations.length === 1 ? first.name : `${relations.length} tables that the migrations make, such as ${first.name},`} is there: migrations were applied by hand.`,
    untouched: "Nothing was stopped or changed.",
    next: `Let the program find out and record which:  rollback adopt ${database}\nOutside of a stack:  rollback migrations adopt --folder …`,
  });
}
