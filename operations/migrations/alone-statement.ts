import type { Client } from "pg";
import { identifier } from "../database/query.ts";
import { dropLeftovers, indexNames, isFinished } from "./leftovers.ts";
import { recordBoundary } from "./ledger/boundary.ts";
import type { ScriptStatement } from "./sql/script.ts";
import type { RunContext } from "./statements.ts";
import type { TransactionOptions } from "./transaction-options.ts";
import type { Boundary } from "./types.ts";

/** What a run that was killed left of the statement goes first; what it had finished is not run again. */
export async function runOutside(
  client: Client,
  statement: ScriptStatement,
  at: Boundary,
  context: RunContext,
  { signal }: TransactionOptions,
): Promise<void> {
  const resumed = at.begun !== undefined;
  const before = at.begun ?? (await indexNames(client));
  await dropLeftovers(client, statement, before, context.owner);
  if (!resumed) await recordBoundary(client, context.run, "begun", { ...at, begun: before });
  else if (await isFinished(client, statement, before)) return;
  signal?.throwIfAborted();
  // CONCURRENTLY queues in nobody's way, so it may wait for old transactions; anything else must not.
  const waits = statement.outside?.reason.includes("CONCURRENTLY") === true ? 0 : context.lockTimeoutMs;
  try {
    await client.query(`SET lock_timeout = ${waits}`);
    await client.query(`SET ROLE ${identifier(context.owner)}`);
    await client.query(statement.sql);
  } catch (error) {
    await client.query("RESET ROLE");
    await dropLeftovers(client, statement, before, context.owner);
    if (!(resumed && isDone(error))) throw error;
  }
  await client.query("RESET ROLE");
  await client.query("RESET lock_timeout");
}

/** SQLSTATEs that say that what was to be made is there, or that what was to go is gone. */
const already = new Set(["42P04", "42710", "42P07", "42704", "3D000"]);

function isDone(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && already.has(error.code)
  );
}
