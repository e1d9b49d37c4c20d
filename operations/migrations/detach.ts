import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../database/query.ts";
import { readCatalogue } from "./catalogue/read.ts";
import type { LayoutReader } from "./layouts/layout.ts";
import { recordedCatalogue } from "./ledger/write.ts";
import type { DatabasePlan } from "./plan.ts";
import { quoteName, showName } from "./sql/names.ts";
import type { ScriptStatement } from "./sql/script.ts";
import type { TableName } from "./types.ts";

/*
 * A DETACH PARTITION … CONCURRENTLY that was cut short, by whatever tool, leaves a partition that is neither in its table nor
 * out of it, and that PostgreSQL lets nobody detach again except by FINALIZE.
 */

/** Partitions that a plan's first step detaches: what a tool was cut short in comes first when it is repeated. */
export function detachedBy({ steps: [first] }: Pick<DatabasePlan, "steps">): TableName[] {
  return first?.script.statements.flatMap(({ detaches }) => detaches?.partition ?? []) ?? [];
}

/** A half detached partition. */
export interface HalfDetached {
  /** Name with schema, quoted where it needs to be. */
  readonly full: string;
  /** Constraints, quoted likewise, that CONCURRENTLY has put in the place of the partition's bound; the plain form has none. */
  readonly bounds: readonly string[];
}

/** Those of the partitions that are half detached, by the name that the SQL has for them, quoted. */
export async function halfDetached(
  client: ClientBase,
  { trackingTable }: Pick<LayoutReader, "trackingTable">,
  partitions: readonly TableName[],
): Promise<Map<string, HalfDetached>> {
  const rows = await rowsOf(
    client,
    z.object({ name: z.string(), full: z.string() }),
    `SELECT w.name, format('%I.%I', n.nspname, c.relname) AS full
     FROM unnest($1::text[]) AS w(name) JOIN pg_inherits i ON i.inhrelid = to_regclass(w.name)
       JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.inhdetachpending`,
    [partitions.map(quoteName)],
  );
  if (rows.length === 0) return new Map();
  const recorded = await recordedCatalogue(client);
  const now = recorded === undefined ? [] : [...(await readCatalogue(client, trackingTable)).keys()];
  const added = now.filter((key) => recorded?.catalogue.has(key) === false);
  return new Map(
    rows.map(({ name, full }) => {
      const own = `constraint ${full} `;
      const bounds = added.filter((key) => key.startsWith(own)).map((key) => key.slice(own.length));
      return [name, { full, bounds }];
    }),
  );
}

/** Lets a plan finish what is half detached. Pure. */
export function withFinalized(plan: DatabasePlan, half: ReadonlyMap<string, HalfDetached>): DatabasePlan {
  const [first, ...later] = plan.steps;
  if (first === undefined || half.size === 0) return plan;
  const notes = [...plan.notes];
  const statements = first.script.statements.map((statement): ScriptStatement => {
    const { detaches, line } = statement;
    const found = detaches === undefined ? undefined : half.get(quoteName(detaches.partition));
    if (detaches === undefined || found === undefined) return statement;
    const text = `${first.where}, line ${line}: ${showName(detaches.partition)} was left half detached; this finishes it`;
    notes.push({ code: "SCHEMA_ADJUSTED", text });
    const sql = [
      `ALTER TABLE ${quoteName(detaches.table)} DETACH PARTITION ${quoteName(detaches.partition)} FINALIZE`,
      ...found.bounds.map((bound) => `ALTER TABLE ${found.full} DROP CONSTRAINT ${bound}`),
    ];
    return { ...statement, sql: sql.join(";\n") };
  });
  const steps = [{ ...first, script: { ...first.script, statements } }, ...later];
  return { ...plan, steps, notes, halfDetached: [...half.values()].map(({ full }) => full) };
}

/** Differences in a catalogue without those that are a half detached partition's: they are what is being finished. */
export function besides(half: readonly string[] | undefined, differences: readonly string[]): string[] {
  const own = (half ?? []).flatMap((name) => [`table ${name}:`, `constraint ${name} `]);
  return differences.filter((line) => !own.some((beginning) => line.includes(beginning)));
}
