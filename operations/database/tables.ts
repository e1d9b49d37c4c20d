import type { ClientBase } from "pg";
import { z } from "zod";
import { identifier, inTransaction, rowOf } from "./query.ts";

/** What a key table holds at one moment. */
export interface TableFacts {
  /** Exact. */
  readonly rows: number;
  /** Bytes with indexes and TOAST. */
  readonly bytes: number;
}

/** A key table that lost more than it may. */
export interface TableLoss {
  readonly table: string;
  readonly before: number;
  /** Undefined: the table is gone. */
  readonly after: number | undefined;
  readonly lost: number;
  /** Rows it might have lost. */
  readonly allowed: number;
}

/**
 * Counts the tables, all at the same moment. A name may carry its schema (`audit.entries`), else it is in `public`.
 * A table that does not exist is left out.
 */
export async function tableFacts(
  client: ClientBase,
  tables: readonly string[],
): Promise<ReadonlyMap<string, TableFacts>> {
  const facts = new Map<string, TableFacts>();
  if (tables.length === 0) return facts;
  await inTransaction(
    client,
    async () => {
      for (const table of tables) {
        const name = qualified(table);
        const { exists } = await rowOf(
          client,
          z.object({ exists: z.boolean() }),
          "select to_regclass($1) is not null as exists",
          [name],
        );
        if (!exists) continue;
        const counted = await rowOf(
          client,
          z.object({ rows: z.coerce.number(), bytes: z.coerce.number() }),
          `select count(*) as rows, pg_total_relation_size($1::regclass) as bytes from ${name}`,
          [name],
        );
        facts.set(table, counted);
      }
    },
    "ISOLATION LEVEL REPEATABLE READ READ ONLY",
  );
  return facts;
}

/** `schema.table` or `table` as quoted SQL. */
export function qualified(table: string): string {
  const dot = table.indexOf(".");
  return dot < 0
    ? `${identifier("public")}.${identifier(table)}`
    : `${identifier(table.slice(0, dot))}.${identifier(table.slice(dot + 1))}`;
}

/**
 * The tables that lost more rows than their tolerance (a share of the rows before, 0 to 1) allows.
 * A table that was not there before lost nothing; one that has vanished lost every row.
 */
export function compareKeyTables(
  before: ReadonlyMap<string, TableFacts>,
  after: ReadonlyMap<string, TableFacts>,
  tolerances: readonly { readonly table: string; readonly tolerance: number }[],
): TableLoss[] {
  return tolerances.flatMap(({ table, tolerance }) => {
    const was = before.get(table);
    if (was === undefined) return [];
    const is = after.get(table);
    const lost = was.rows - (is?.rows ?? 0);
    const allowed = Math.floor(was.rows * tolerance);
    const vanished = is === undefined && tolerance < 1;
    return lost > allowed || vanished
      ? [{ table, before: was.rows, after: is?.rows, lost: Math.max(lost, 0), allowed }]
      : [];
  });
}
