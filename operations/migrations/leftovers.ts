import type { Client } from "pg";
import { z } from "zod";
import { identifier, rowsOf } from "../database/query.ts";
import { quoteName } from "./sql/names.ts";
import type { ScriptStatement } from "./sql/script.ts";

const indexes = `SELECT format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AS valid, i.indrelid::text AS table
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname !~ '^pg_(catalog|temp)' AND n.nspname <> 'rollback' AND c.relkind = 'i'`;
const indexRow = z.object({ name: z.string(), valid: z.boolean(), table: z.string() });

/** Names of all indexes, qualified and quoted; those that are not valid are marked. */
export async function indexNames(client: Client): Promise<string[]> {
  const rows = await rowsOf(client, indexRow, `${indexes} ORDER BY 1`);
  return rows.map(({ name, valid }) => (valid ? name : `${name} invalid`));
}

/**
 * Removes the INVALID indexes that a CONCURRENTLY which failed or was killed left behind: those that were not there `before`,
 * and one that bears the name which the statement is about to give (IF NOT EXISTS would take it for done).
 */
export async function dropLeftovers(
  client: Client,
  statement: Pick<ScriptStatement, "makesIndex"> | undefined,
  before: readonly string[],
  owner: string,
): Promise<void> {
  const known = new Set(before);
  const rows = await rowsOf(client, indexRow, `${indexes} AND NOT i.indisvalid`);
  const named = statement?.makesIndex;
  const [own] = named === undefined ? [] : await indexOf(client, named);
  const left = rows.filter(({ name }) => name === own || !(known.has(name) || known.has(`${name} invalid`)));
  if (left.length === 0) return;
  await client.query(`SET ROLE ${identifier(owner)}`);
  try {
    for (const { name } of left) await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  } finally {
    await client.query("RESET ROLE");
  }
}

/** Whether an index statement that a killed run had begun was finished by it. */
export async function isFinished(
  client: Client,
  { makesIndex }: Pick<ScriptStatement, "makesIndex">,
  before: readonly string[],
): Promise<boolean> {
  if (makesIndex === undefined) return false;
  const known = new Set(before);
  const rows = await rowsOf(
    client,
    indexRow,
    `${indexes} AND i.indisvalid AND i.indrelid = to_regclass($1)`,
    [quoteName(makesIndex.table)],
  );
  return rows.some(({ name }) => !known.has(name));
}

async function indexOf(
  client: Client,
  { index, table }: NonNullable<ScriptStatement["makesIndex"]>,
): Promise<string[]> {
  if (index === undefined) return [];
  const rows = await rowsOf(
    client,
    indexRow,
    `${indexes} AND i.indrelid = to_regclass($1) AND c.relname = $2`,
    [quoteName(table), index],
  );
  return rows.map(({ name }) => name);
}
