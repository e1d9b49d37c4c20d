import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { literal, rowOf, rowsOfEach } from "../database/query.ts";
import { trackedRows } from "./observe.ts";
import type { DatabasePlan } from "./plan.ts";
import { quoteName } from "./sql/names.ts";
import type { TrackedRow } from "./types.ts";

/**
 * Somebody may have changed the versions, or a pooler the session, since the plan was made: Refusals `SCHEMA_MOVED` and
 * `SCHEMA_POOLED`. Statements `before` it make the same round trip.
 */
export async function assertAsPlanned(
  client: ClientBase,
  pid: number,
  plan: DatabasePlan,
  before: readonly string[] = [],
): Promise<void> {
  const { schema, table } = plan.reader.trackingTable;
  const tracking = quoteName({ schema, name: table });
  const results = await rowsOfEach(client, [
    ...before,
    `SELECT pg_backend_pid() AS pid,
       (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = to_regclass(${literal(tracking)}) AND attnum > 0 AND NOT attisdropped) AS columns`,
  ]);
  const [present] = presentRow.parse(results.at(-1));
  if (present.pid !== pid) {
    throw new Refusal({
      code: "SCHEMA_POOLED",
      found: `the connection to ${plan.database} changed sessions: a pooler stands in between.`,
      untouched: "Nothing was changed.",
      next: "Connect to PostgreSQL directly, or to the pooler's session mode.",
    });
  }
  // Keeps the tool that owns the table from applying something meanwhile; readers are not disturbed.
  const lock = `LOCK TABLE ${tracking} IN SHARE ROW EXCLUSIVE MODE`;
  const now = (await trackedRows(client, plan.reader, present.columns, [lock])) ?? [];
  if (trackedText(now) !== trackedText(plan.tracked)) {
    throw new Refusal({
      code: "SCHEMA_MOVED",
      found: `${tracking} of ${plan.database} changed after the plan was made: new is ${only(now, plan.tracked)}, gone is ${only(plan.tracked, now)}.`,
      untouched: "Nothing was changed by this run.",
      next: "Run `pulumi up` again; find out what else migrates this database.",
    });
  }
}

const presentRow = z.tuple([z.object({ pid: z.number(), columns: z.array(z.string()).nullable() })]);

/** The plan for what the tracking table holds now, after an earlier part of the same run. */
export async function afterEarlier(client: ClientBase, plan: DatabasePlan): Promise<DatabasePlan> {
  const { schema, table } = plan.reader.trackingTable;
  const { columns } = await rowOf(
    client,
    z.object({ columns: z.array(z.string()).nullable() }),
    "SELECT array_agg(attname::text) AS columns FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
    [quoteName({ schema, name: table })],
  );
  return { ...plan, tracked: (await trackedRows(client, plan.reader, columns)) ?? [] };
}

/** The rows of a tracking table as one text, to compare. */
function trackedText(rows: readonly TrackedRow[]): string {
  return rows
    .map(({ version, success }) => (success ? version : `${version} dirty`))
    .sort()
    .join(" ");
}

/** What one list of rows has and another has not: the last few, and how many more. */
function only(these: readonly TrackedRow[], others: readonly TrackedRow[]): string {
  const known = new Set(others.map((row) => trackedText([row])));
  const names = these.map((row) => trackedText([row])).filter((name) => !known.has(name));
  const shown = names.slice(-5).join(", ");
  return names.length > 5 ? `${shown} and ${String(names.length - 5)} more` : shown || "none";
}
