import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { identifier, rowOf, rowsOf } from "../database/query.ts";
import type { DatabasePlan } from "./plan.ts";
import { quoteName, showName } from "./sql/names.ts";
import type { RequiredColumn } from "./sql/required-columns.ts";
import type { Step } from "./steps.ts";

/** A column that a plan adds NOT NULL without a default. */
export interface Wanted extends RequiredColumn {
  readonly step: Step;
  readonly line: number;
}

/** What a table that is to get such a column holds. */
export interface ValueFact {
  /** Rows for which there is no value; undefined: all that there are. */
  readonly missing: number | undefined;
  /** Keys of the first of them; none where the table has no key. */
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}

type Forward = Pick<DatabasePlan, "database" | "steps">;

/** Columns that a plan adds so to tables whose rows it leaves as they are until then. */
export function wantedValues({ steps }: Forward): Wanted[] {
  const found: Wanted[] = [];
  const made = new Set<string>();
  for (const step of steps) {
    for (const { requires, effects, losses, opaque, line } of step.script.statements) {
      if (opaque !== undefined || effects.unclear) return found;
      if (step.direction === "forward") {
        const added = requires.filter(({ how, table }) => how === "added" && !made.has(plain(table)));
        found.push(...added.map((each) => ({ ...each, step, line })));
      }
      // Foreign keys and CASCADE may take rows of any other table along.
      if (losses.some(({ kind }) => kind === "table" || kind === "rows")) return found;
      for (const { kind, name } of effects.made) if (kind === "relation") made.add(withoutPublic(name));
    }
  }
  return found;
}

const place = z.object({
  n: z.number(),
  table: z.string(),
  archive: z.string().nullable(),
  key: z.array(z.string()).nullable(),
  keyed: z.boolean(),
  others: z.array(z.string()),
});

/** Asks, in their order; undefined: nothing is missing, or it cannot be told beforehand. `ledger`: whether there is one. */
export async function valueFacts(
  client: ClientBase,
  wanted: readonly Wanted[],
  ledger: boolean,
): Promise<(ValueFact | undefined)[]> {
  const asked = wanted.map(({ table, column, type, step }, n) => ({
    n,
    table: quoteName(table),
    column,
    type: type === undefined ? null : quoteName(type),
    version: step.version,
  }));
  const places = await rowsOf(client, place, placesSql(ledger), [JSON.stringify(asked)]);
  const facts: (ValueFact | undefined)[] = wanted.map(() => undefined);
  for (const { n, table, archive, key, keyed, others } of places) {
    const column = wanted[n]?.column;
    if (column === undefined) continue;
    if (archive === null || key === null) {
      const { any } = await rowOf(
        client,
        z.object({ any: z.boolean() }),
        `SELECT EXISTS (SELECT FROM ${table}) AS any`,
      );
      facts[n] = any ? { missing: undefined, examples: [] } : undefined;
    } else if (keyed) facts[n] = await missingIn(client, table, archive, key, column);
    else if (key.length === 0) facts[n] = await missingWithoutKey(client, table, archive, others, column);
  }
  return facts;
}

const missingRow = z.object({
  missing: z.coerce.number(),
  examples: z.array(z.record(z.string(), z.unknown())).nullable(),
});

async function missingIn(
  client: ClientBase,
  table: string,
  archive: string,
  key: readonly string[],
  column: string,
): Promise<ValueFact | undefined> {
  const keys = key.map(identifier);
  const { missing, examples } = await rowOf(
    client,
    missingRow,
    `WITH missing AS (SELECT ${keys.map((each) => `t.${each}`).join(", ")} FROM ${table} t WHERE NOT EXISTS (
       SELECT FROM rollback.${identifier(archive)} x WHERE x.${identifier(column)} IS NOT NULL
         AND ${keys.map((each) => `t.${each}::text = x.${each}::text`).join(" AND ")}))
     SELECT count(*) AS missing, (SELECT jsonb_agg(to_jsonb(f)) FROM (SELECT * FROM missing LIMIT 5) f) AS examples FROM missing`,
  );
  return missing === 0 ? undefined : { missing, examples: examples ?? [] };
}

/**
 * Where there is no key, a row finds its value again by all of its other columns, and one of several equal ones takes any of theirs: as
 * `rollback.map_rows` does it.
 */
async function missingWithoutKey(
  client: ClientBase,
  table: string,
  archive: string,
  others: readonly string[],
  column: string,
): Promise<ValueFact | undefined> {
  const row = (of: string) =>
    `ROW(${others.map((each) => `${of}.${identifier(each)}::text`).join(", ")})::text`;
  const { missing } = await rowOf(
    client,
    z.object({ missing: z.coerce.number() }),
    `SELECT coalesce(sum(greatest(t.n - coalesce(x.n, 0), 0)), 0) AS missing
     FROM (SELECT ${row("t")} AS r, count(*) AS n FROM ${table} t GROUP BY 1) t
       LEFT JOIN (SELECT ${row("x")} AS r, count(*) AS n FROM rollback.${identifier(archive)} x
         WHERE x.${identifier(column)} IS NOT NULL GROUP BY 1) x USING (r)`,
  );
  return missing === 0 ? undefined : { missing, examples: [] };
}

/** Tables that are there, without the column, each with what the last reversal of the version kept of it. */
const placesSql = (ledger: boolean) => `
  SELECT d.n, format('%I.%I', s.nspname, c.relname) AS table, k.name AS archive, k.key,
    coalesce(cardinality(k.key) > 0 AND cardinality(k.key) = (SELECT count(*) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attname = ANY (k.key) AND NOT a.attisdropped), false) AS keyed,
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attname = ANY (k.others) ORDER BY a.attnum) AS others
  FROM jsonb_to_recordset($1) AS d(n int, "table" text, "column" text, type text, version text)
    JOIN pg_type y ON y.oid = to_regtype(d.type) AND y.typdefault IS NULL
    JOIN pg_class c ON c.oid = to_regclass(d."table") AND c.relkind IN ('r', 'p') JOIN pg_namespace s ON s.oid = c.relnamespace
    LEFT JOIN LATERAL (${ledger ? archiveSql : "SELECT NULL::text AS name, NULL::text[] AS key, NULL::text[] AS others"}) AS k ON true
  WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = d."column" AND NOT a.attisdropped)`;

// The ledger may still be of a version without the column.
const archiveSql = `SELECT a.name, a.key,
    ARRAY(SELECT e ->> 'name' FROM jsonb_array_elements(a.columns) e WHERE NOT e ->> 'name' = ANY (a.lost)) AS others FROM rollback.archive a
  WHERE a.migration = d.version AND a.source_schema = s.nspname AND a.source_table = c.relname AND d."column" = ANY (a.lost)
    AND a.how = 'drop' AND a.rows > 0 AND to_jsonb(a) ->> 'restored_at' IS NULL
    AND a.run = (SELECT l.run FROM rollback.archive l WHERE l.migration = d.version ORDER BY l.id DESC LIMIT 1)
  ORDER BY a.id DESC LIMIT 1`;

/** Refuses `SCHEMA_VALUES_MISSING`: PostgreSQL would not add the column. `facts` are of `wantedValues(plan)`. Pure. */
export function refuseMissingValues(
  { database }: Forward,
  wanted: readonly Wanted[],
  facts: readonly (ValueFact | undefined)[],
): void {
  for (const [index, { table, column, step, line }] of wanted.entries()) {
    const fact = facts[index];
    if (fact === undefined) continue;
    const { missing, examples } = fact;
    const keys = examples.map((key) => JSON.stringify(key)).join(", ");
    const more = missing !== undefined && missing > examples.length ? ", …" : "";
    const named = examples.length === 0 ? " (it has no key to name them by)" : `: ${keys}${more}`;
    const which =
      missing === undefined
        ? "which has rows, and no reversal has kept values for them"
        : `and the values that its reversal has kept leave out ${missing} of its rows${named}`;
    const file = step.migration?.file ?? "its file";
    throw new Refusal({
      code: "SCHEMA_VALUES_MISSING",
      found: `${step.where}, line ${line}: it adds the column ${column}, NOT NULL and without a default, to ${showName(table)}, ${which}.`,
      untouched: "Nothing was stopped or changed.",
      next: `Write a DEFAULT into ${file} (it is not applied now, so it may be edited), or delete those rows in ${database};\nthen run \`pulumi up\` again.`,
    });
  }
}

function plain(table: RequiredColumn["table"]): string {
  return withoutPublic(showName(table));
}

function withoutPublic(name: string): string {
  return name.replace(/^public\./, "");
}
