import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../../database/query.ts";
import type { Connect } from "../connect.ts";
import { tableSizes } from "../observe.ts";
import type { TableSize } from "../observe.ts";
import type { SchemaPlan } from "../schema-plan.ts";
import { freshConnections } from "../sessions.ts";
import { quoteName } from "../sql/names.ts";
import { parseScript } from "../sql/parse.ts";
import type { TableName } from "../types.ts";
import { disturbancesOf } from "./disturbs.ts";

/** What the catalogue of a database has to be asked before a change of it may meet requests. Names quoted, as the SQL uses them. */
export interface LiveFacts {
  readonly sizes: ReadonlyMap<string, TableSize>;
  /** Indexes that enforce something. */
  readonly enforcing: ReadonlySet<string>;
  /** `table constraint`: those that are more than a CHECK. */
  readonly binding: ReadonlySet<string>;
}

/** Asks the databases that a plan changes. Changes nothing. Needs `loadParser()`. */
export async function liveFacts(open: Connect, plan: SchemaPlan): Promise<ReadonlyMap<string, LiveFacts>> {
  const lend = freshConnections(open);
  const facts = new Map<string, LiveFacts>();
  for (const { database, steps } of plan.databases) {
    const statements = steps.flatMap(({ script }) => script.statements);
    if (statements.length === 0) continue;
    const tables = statements.flatMap(({ locks }) => locks.map(({ table }) => table));
    const doubts = statements.flatMap(({ sql }) =>
      parseScript(sql, database).flatMap(({ node }) => disturbancesOf(node)),
    );
    const indexes = doubts.flatMap((doubt) => ("index" in doubt ? [doubt.index] : []));
    const constraints = doubts.flatMap((doubt) => ("constraint" in doubt ? [doubt] : []));
    facts.set(
      database,
      await lend(database, async (client) => ({
        sizes: await tableSizes(client, tables),
        enforcing: await enforcing(client, indexes),
        binding: await binding(client, constraints),
      })),
    );
  }
  return facts;
}

/** How a constraint is named in `LiveFacts.binding`. */
export function constraintKey(table: TableName, constraint: string): string {
  return `${quoteName(table)} ${constraint}`;
}

async function enforcing(client: ClientBase, indexes: readonly TableName[]): Promise<Set<string>> {
  const rows = await rowsOf(
    client,
    z.object({ name: z.string() }),
    `SELECT n AS name FROM unnest($1::text[]) AS n JOIN pg_index i ON i.indexrelid = to_regclass(n)
     WHERE i.indisunique OR i.indisexclusion OR i.indisreplident`,
    [indexes.map(quoteName)],
  );
  return new Set(rows.map(({ name }) => name));
}

async function binding(
  client: ClientBase,
  constraints: readonly { readonly constraint: string; readonly table: TableName }[],
): Promise<Set<string>> {
  const rows = await rowsOf(
    client,
    z.object({ key: z.string() }),
    `SELECT w.name || ' ' || w.bound AS key FROM unnest($1::text[], $2::text[]) AS w(name, bound)
     JOIN pg_constraint c ON c.conrelid = to_regclass(w.name) AND c.conname = w.bound WHERE c.contype <> 'c'`,
    [constraints.map(({ table }) => quoteName(table)), constraints.map(({ constraint }) => constraint)],
  );
  return new Set(rows.map(({ key }) => key));
}
