import { randomUUID } from "node:crypto";
import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { rowOf, rowsOf } from "../database/query.ts";
import { listArchives } from "./archives/list.ts";
import type { Archive } from "./archives/list.ts";
import type { Part } from "./commit.ts";
import type { Connect } from "./connect.ts";
import { ensureLedger } from "./ledger/ensure.ts";
import { hasWork } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import { runSegments } from "./run-segments.ts";
import type { CarryOutOptions } from "./run-segments.ts";
import type { SchemaPlan } from "./schema-plan.ts";
import { stepsOf } from "./steps.ts";

export type { CarryOutOptions };

/** A session that holds the schema lock of its database. */
export type Held = Pick<Part, "client" | "pid">;

/** What a run did. */
export interface SchemaResult {
  /** Name of the run in `rollback.event`. */
  readonly run: string;
  readonly changed: readonly string[];
  readonly steps: number;
  /** Parts that were committed one after the other: 1 unless a step runs outside of a transaction. */
  readonly segments: number;
  /** Transactions begun, 1 when every lock was free. */
  readonly tries: number;
  readonly milliseconds: number;
  readonly archived: readonly Archived[];
  /** Archives of earlier reversals that migrations applied again put back, or tried to. */
  readonly putBack: readonly (Archive & { readonly database: string })[];
}

/** Data that the run destroyed and kept. */
export interface Archived {
  readonly database: string;
  /** Table in the schema `rollback`. */
  readonly name: string;
  readonly source: string;
  readonly how: string;
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Carries a plan out over sessions that hold their databases' schema locks: one transaction per database, over several databases all or
 * none; `open` is for what needs a session of its own. Finds nothing to do when the plan has no work. Throws Refusals
 * `SCHEMA_LOCKED`, `SCHEMA_MOVED`, `SCHEMA_STEP_FAILED`, `SCHEMA_NOT_RESTORED`, `SCHEMA_CONNECTION_LOST`,
 * `SCHEMA_OWNER`; after each of them every database is as it was before, or as the last step outside of a transaction left
 * it. `SCHEMA_BOUNDARY`: such a step stopped half-way.
 */
export async function carryOut(
  held: ReadonlyMap<string, Held>,
  plan: SchemaPlan,
  open: Connect,
  options: CarryOutOptions,
): Promise<SchemaResult> {
  const started = performance.now();
  const run = randomUUID();
  const work = plan.databases.filter(hasWork).toSorted((a, b) => (a.database < b.database ? -1 : 1));
  const parts: Part[] = [];
  for (const each of work) parts.push(await openPart(each, held));
  await options.at?.("locked");
  const { tries, runs } = await runSegments(plan.release, parts, run, open, options);
  const archived: Archived[] = [];
  const putBack: SchemaResult["putBack"][number][] = [];
  for (const part of parts) {
    const { database } = part.plan;
    for (const each of runs) {
      if (stepsOf(part.plan, "reverse").length > 0) archived.push(...(await archivedBy(part, each)));
      if (stepsOf(part.plan, "forward").length === 0) continue;
      const back = await listArchives(part.client, { restoredBy: each });
      putBack.push(...back.map((archive) => ({ database, ...archive })));
    }
  }
  return {
    run,
    changed: work.map((each) => each.database),
    steps: work.reduce((sum, each) => sum + each.steps.length, 0),
    segments: runs.length,
    tries,
    milliseconds: performance.now() - started,
    archived,
    putBack,
  };
}

async function openPart(plan: DatabasePlan, held: ReadonlyMap<string, Held>): Promise<Part> {
  const session = held.get(plan.database);
  if (session === undefined) throw new Error(`there is no session for ${plan.database}`);
  await refuseForeignOwner(session.client, plan);
  await ensureLedger(session.client);
  return { plan, ...session };
}

async function refuseForeignOwner(client: ClientBase, { database, owner }: DatabasePlan): Promise<void> {
  const { member, operator } = await rowOf(
    client,
    z.object({ member: z.boolean().nullable(), operator: z.string() }),
    "SELECT pg_has_role(session_user, oid, 'USAGE') AS member, session_user::text AS operator FROM (SELECT (SELECT oid FROM pg_roles WHERE rolname = $1) AS oid) AS r",
    [owner],
  );
  if (member === true) return;
  throw new Refusal({
    code: "SCHEMA_OWNER",
    found:
      member === null
        ? `there is no role ${owner}, which is to own the objects of ${database}.`
        : `${operator} is not a member of ${owner}, which owns the objects of ${database}.`,
    untouched: "Nothing was changed.",
    next: `Let \`pulumi up\` make the roles, or:  GRANT ${owner} TO ${operator}`,
  });
}

async function archivedBy({ client, plan }: Part, run: string): Promise<Archived[]> {
  const rows = await rowsOf(
    client,
    z.object({
      name: z.string(),
      source: z.string(),
      how: z.string(),
      rows: z.coerce.number(),
      bytes: z.coerce.number(),
    }),
    `SELECT name, source_schema || '.' || source_table AS source, how, rows, bytes FROM rollback.archive WHERE run = $1 ORDER BY id`,
    [run],
  );
  return rows.map((row) => ({ database: plan.database, ...row }));
}
