import pg from "pg";
import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../database/query.ts";
import type { DatabasePlan } from "./plan.ts";
import { quoteName } from "./sql/names.ts";
import type { ScriptStatement } from "./sql/script.ts";
import { wordsIn } from "./sql/words.ts";
import { storedAlike } from "./sql/work.ts";
import type { Doubt, Work, WrittenType } from "./sql/work.ts";

/** What the catalogue says of a piece of work. */
export interface WorkFact {
  /** Whether the table is there: one that the same plan makes is empty. */
  readonly exists: boolean;
  readonly type: WrittenType | undefined;
  /** Whether the column's values need no conversion to the type that is wanted. */
  readonly castable: boolean;
  /** Whether an index is over the column: for another type it is built anew. */
  readonly indexed: boolean;
  /** Whether a CHECK is over the column: after any change of the type it is checked anew. */
  readonly checked: boolean;
  readonly notNull: boolean;
  /** Whether the constraint is there and valid. */
  readonly valid: boolean;
  readonly plainType: boolean;
  readonly persistence: string | undefined;
}

const factRow = z.object({
  exists: z.boolean(),
  type: z.string().nullable(),
  formatted: z.string().nullable(),
  castable: z.boolean(),
  indexed: z.boolean(),
  checked: z.boolean(),
  not_null: z.boolean(),
  valid: z.boolean(),
  plain: z.boolean(),
  persistence: z.string().nullable(),
});

/** Asks the catalogue about works, in their order. */
export async function workFacts(client: ClientBase, works: readonly Work[]): Promise<WorkFact[]> {
  const asked = works.map(({ table, unless }, n) => ({ n, table: quoteName(table), ...question(unless) }));
  const rows = await rowsOf(client, factRow, factsSql, [JSON.stringify(asked)]);
  return rows.map((row) => ({
    exists: row.exists,
    type: row.type === null ? undefined : { name: row.type, modifiers: modifiersIn(row.formatted ?? "") },
    castable: row.castable,
    indexed: row.indexed,
    checked: row.checked,
    notNull: row.not_null,
    valid: row.valid,
    plainType: row.plain,
    persistence: row.persistence ?? undefined,
  }));
}

function question(doubt: Doubt | undefined): { column?: string; type?: string; constraint?: string } {
  const named = (type: string) =>
    type.replace(
      /^(.*?)((?:\[\])*)$/s,
      (_, name: string, array: string) => `${pg.escapeIdentifier(name)}${array}`,
    );
  switch (doubt?.kind) {
    case "type":
      return { column: doubt.column, type: named(doubt.type.name) };
    case "not null":
      return { column: doubt.column };
    case "plain type":
      return { type: named(doubt.type) };
    case "valid":
      return { constraint: doubt.constraint };
    default:
      return {};
  }
}

/** `numeric(9,2)` → 9, 2. */
function modifiersIn(formatted: string): number[] {
  return (
    /\((\d+)(?:,(-?\d+))?\)/
      .exec(formatted)
      ?.slice(1)
      .flatMap((each: string | undefined) => (each === undefined ? [] : [Number(each)])) ?? []
  );
}

const factsSql = `
  SELECT c.oid IS NOT NULL AS exists, t.typname::text AS type, format_type(a.atttypid, a.atttypmod) AS formatted,
    EXISTS (SELECT FROM pg_cast k WHERE k.castsource = a.atttypid AND k.casttarget = w.oid AND k.castmethod = 'b') AS castable,
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey)) AS indexed,
    EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY (k.conkey)) AS checked,
    coalesce(a.attnotnull, false) OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
      AND pg_get_constraintdef(k.oid) = 'CHECK ((' || quote_ident(a.attname) || ' IS NOT NULL))') AS not_null,
    EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = d."constraint" AND k.convalidated) AS valid,
    coalesce(w.typtype <> 'd' OR (NOT w.typnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contypid = w.oid)
      AND (SELECT b.typtype <> 'd' FROM pg_type b WHERE b.oid = w.typbasetype)), false) AS plain, c.relpersistence::text AS persistence
  FROM jsonb_to_recordset($1) AS d(n int, "table" text, "column" text, type text, "constraint" text)
    LEFT JOIN pg_class c ON c.oid = to_regclass(d.table)
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = d.column AND NOT a.attisdropped
    LEFT JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type w ON w.oid = to_regtype(d.type)
  ORDER BY d.n`;

/** All works of a plan, in the order in which they are done. */
export function worksIn(plan: DatabasePlan): Work[] {
  return plan.steps.flatMap(({ script }) => script.statements.flatMap(({ works }) => works));
}

/**
 * The plan with those works only that are done on what the catalogue says; `facts` are of `worksIn(plan)`. A fact about a column
 * counts up to the first statement that changes it. Pure.
 */
export function withWork(plan: DatabasePlan, facts: readonly WorkFact[]): DatabasePlan {
  let next = 0;
  const changed = new Set<string>();
  const named = new Set<string>();
  const judge = (work: Work): Work[] => {
    const fact = facts[next++];
    const column =
      work.unless !== undefined && "column" in work.unless
        ? `${quoteName(work.table)} ${work.unless.column}`
        : undefined;
    // A constraint that the plan has spoken of before may have been made anew by then.
    const spokenOf = work.unless?.kind === "valid" && named.has(work.unless.constraint.toLowerCase());
    const stale = spokenOf || (column !== undefined && changed.has(column));
    if (column !== undefined && work.unless?.kind === "type") changed.add(column);
    if (fact === undefined || (fact.exists && stale)) return [work];
    return fact.exists ? asFound(work, fact) : [];
  };
  const validates = worksIn(plan).some(({ unless }) => unless?.kind === "valid");
  const judged = (statement: ScriptStatement): ScriptStatement => {
    const works = statement.works.flatMap(judge);
    if (validates) for (const word of wordsIn(statement.sql)) named.add(word);
    return statement.works.length === 0 ? statement : { ...statement, works };
  };
  return {
    ...plan,
    steps: plan.steps.map((step) => ({
      ...step,
      script: { ...step.script, statements: step.script.statements.map(judged) },
    })),
  };
}

function asFound(work: Work, fact: WorkFact): Work[] {
  switch (work.unless?.kind) {
    case "type": {
      const { type } = work.unless;
      const alike = fact.type !== undefined && storedAlike(fact.type, type);
      if (!alike && (!fact.castable || type.modifiers.length > 0)) return [work];
      return fact.checked || (fact.indexed && !alike) ? [{ ...work, how: "scans" }] : [];
    }
    case "not null":
      return fact.notNull ? [] : [work];
    case "valid":
      return fact.valid ? [] : [work];
    case "plain type":
      return fact.plainType ? [] : [work];
    case "persistence":
      return fact.persistence === work.unless.is ? [] : [work];
    case undefined:
      return [work];
  }
}
