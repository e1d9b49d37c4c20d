import type { ClientBase } from "pg";
import { z } from "zod";
import { operatorRole } from "../../settings/names.ts";
import { sqlState } from "./errors.ts";
import { identifier, rowOf } from "./query.ts";

/** Schema that holds what this project remembers inside a database. */
export const rollbackSchema = "rollback";

/** SQLSTATEs of "somebody made it at the same moment": unique_violation in the catalogue, duplicate_schema, duplicate_table. */
const madeMeanwhile = ["23505", "42P06", "42P07"];

/**
 * Makes the schema `rollback` and the given table in it when they are not there, owned by the operator role where that exists,
 * so that the application cannot write to it. Harmless to repeat, also from two sides at once.
 * @param table name without schema
 * @param create the `create table rollback.<table> …` statements
 */
export async function ensureTable(client: ClientBase, table: string, create: string): Promise<void> {
  const name = `${rollbackSchema}.${identifier(table)}`;
  const { there } = await rowOf(
    client,
    z.object({ there: z.boolean() }),
    "select to_regclass($1) is not null as there",
    [name],
  );
  if (there) return;
  const { schema, operator } = await rowOf(
    client,
    z.object({ schema: z.boolean(), operator: z.boolean() }),
    `select to_regnamespace($1) is not null as schema,
            exists (select from pg_roles where rolname = $2 and rolname <> current_user) as operator`,
    [rollbackSchema, operatorRole],
  );
  const owner = operator ? identifier(operatorRole) : undefined;
  await unlessMadeMeanwhile(async () => {
    // One implicit transaction: a table never shows without its owner.
    const schemaText = schema
      ? []
      : [`create schema ${rollbackSchema} authorization ${owner ?? "current_user"}`];
    const ownerText = owner === undefined ? [] : [`alter table ${name} owner to ${owner}`];
    await client.query([...schemaText, create, ...ownerText].join(";\n"));
  });
}

async function unlessMadeMeanwhile(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!madeMeanwhile.includes(sqlState(error) ?? "")) throw error;
  }
}
