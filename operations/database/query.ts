import pg from "pg";
import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";

/** Runs one statement and parses every row with `schema`; a row of another shape is a defect and throws. */
export async function rowsOf<T extends z.ZodType>(
  client: ClientBase,
  schema: T,
  text: string,
  values: readonly unknown[] = [],
): Promise<z.output<T>[]> {
  const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
  const how = rows.length < manyRows ? interpreted : undefined;
  return rows.map((row) => schema.parse(row, how));
}

/** As `rowsOf` for a statement that gives exactly one row. */
export async function rowOf<T extends z.ZodType>(
  client: ClientBase,
  schema: T,
  text: string,
  values: readonly unknown[] = [],
): Promise<z.output<T>> {
  const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
  return schema.parse(rows[0], interpreted);
}

/** To compile a schema takes longer than to read a few rows with it, and most questions are asked once. */
const interpreted = { jitless: true } as const;
const manyRows = 100;

/**
 * Runs statements without parameters in one round trip and gives the rows of each, to be parsed by the caller. What comes
 * after an error in one of them has not run.
 */
export async function rowsOfEach(client: ClientBase, statements: readonly string[]): Promise<unknown[][]> {
  const results: unknown = await client.query(statements.join(";\n"));
  // For one statement the library gives its result, for several a list of them.
  return resultsOf.parse(Array.isArray(results) ? results : [results]).map(({ rows }) => rows);
}

const resultsOf = z.array(z.object({ rows: z.array(z.unknown()) }));

/** Runs `work` between BEGIN and COMMIT; an error rolls back and is thrown on. `mode` e.g. `ISOLATION LEVEL REPEATABLE READ`. */
export async function inTransaction<T>(client: ClientBase, work: () => Promise<T>, mode = ""): Promise<T> {
  await client.query(`BEGIN ${mode}`);
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    // On a broken connection the server rolls back by itself, and the first error is the one that matters.
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/**
 * A name as an SQL identifier, quoted. PostgreSQL would cut a name of more than 63 bytes and act on another object:
 * such a name, an empty one and one with a NUL are a Refusal `NAME_IMPOSSIBLE`.
 */
export function identifier(name: string): string {
  if (name === "" || name.includes("\0") || Buffer.byteLength(name) > 63) {
    throw new Refusal({
      code: "NAME_IMPOSSIBLE",
      found: `${JSON.stringify(name)} cannot be the name of a PostgreSQL object (1 to 63 bytes, no NUL).`,
      untouched: "Nothing was changed.",
      next: "Choose a shorter name for the database or the release.",
    });
  }
  return pg.escapeIdentifier(name);
}

/** A text as an SQL literal, quoted; for statements that take no parameters (utility commands). */
export function literal(text: string): string {
  return pg.escapeLiteral(text);
}
