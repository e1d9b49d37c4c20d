import type { ClientBase } from "pg";
import { z } from "zod";
import { literal, rowsOf } from "../database/query.ts";
import { releaseSchemaLock, takeSchemaLock } from "./lock.ts";
import type { Connect } from "./connect.ts";
import { keepSessions } from "./sessions.ts";
import type { Sessions } from "./sessions.ts";

/**
 * Several databases change all or none: all but one prepare their transactions, the last one commits its own together with
 * a row that says "run X is committed". Whoever finds a prepared transaction later follows that row.
 */

/** Name of a prepared transaction: the run, a number, and the database that holds the decision. */
export function preparedName(run: string, number: number, decider: string): string {
  return `rollback:${run}:${number}:${decider}`;
}

/** The parts of `preparedName`; undefined: not one of ours. */
export function parsePreparedName(gid: string): { run: string; decider: string } | undefined {
  const [prefix, run, number, ...decider] = gid.split(":");
  if (prefix !== "rollback" || run === undefined || number === undefined || !/^\d+$/.test(number))
    return undefined;
  return { run, decider: decider.join(":") };
}

/** Records the decision; part of the last database's transaction. */
export function decisionSql(run: string): string {
  return `INSERT INTO rollback.decision (run) VALUES (${literal(run)})`;
}

/** The decision is not needed once nothing prepared follows it any more. */
export function forgetDecisionSql(run: string): string {
  return `DELETE FROM rollback.decision WHERE run = ${literal(run)}`;
}

/** What became of a prepared transaction that a killed run left behind. */
export interface Recovered {
  readonly database: string;
  readonly run: string;
  readonly outcome: "committed" | "rolled back";
}

/** Prepared transactions of ours that wait in these databases. */
export async function preparedTransactions(
  client: ClientBase,
  databases: readonly string[],
): Promise<{ gid: string; database: string; run: string; decider: string }[]> {
  const rows = await rowsOf(
    client,
    z.object({ gid: z.string(), database: z.string() }),
    "SELECT gid, database FROM pg_prepared_xacts WHERE gid LIKE 'rollback:%' AND database = ANY ($1) ORDER BY gid",
    [databases],
  );
  return rows.flatMap((row) => {
    const name = parsePreparedName(row.gid);
    return name === undefined ? [] : [{ ...row, ...name }];
  });
}

/**
 * Finishes what a killed run left prepared: commits where its decision is recorded, else rolls back. Takes the schema locks
 * of the databases concerned first, so that it never decides about a run that is still alive (Refusal `SCHEMA_BUSY` after
 * `waitMs`, default 10 000). Finds nothing to do otherwise.
 */
export async function recoverPrepared(
  open: Connect,
  databases: readonly string[],
  waitMs?: number,
): Promise<Recovered[]> {
  const sessions = keepSessions(open);
  try {
    return await recoverWith(sessions, databases, waitMs);
  } finally {
    await sessions.close();
  }
}

/** As `recoverPrepared` over sessions that are already there. */
export async function recoverWith(
  sessions: Sessions,
  databases: readonly string[],
  waitMs = 10_000,
): Promise<Recovered[]> {
  const [first] = databases;
  if (first === undefined) return [];
  const left = await preparedTransactions(await sessions.of(first), databases);
  if (left.length === 0) return [];
  // One order for everybody: two recoveries then wait for each other instead of both giving up.
  const concerned = [...new Set(left.flatMap(({ database, decider }) => [database, decider]))].sort();
  for (const database of concerned) await takeSchemaLock(await sessions.of(database), database, waitMs);
  // Its run may have finished while we waited for the locks.
  const still = await preparedTransactions(await sessions.of(first), databases);
  const recovered: Recovered[] = [];
  for (const { gid, database, run, decider } of still) {
    const committed = await isDecided(await sessions.of(decider), run);
    const client = await sessions.of(database);
    await client.query(`${committed ? "COMMIT" : "ROLLBACK"} PREPARED ${literal(gid)}`);
    recovered.push({ database, run, outcome: committed ? "committed" : "rolled back" });
  }
  for (const { run, decider } of still) await (await sessions.of(decider)).query(forgetDecisionSql(run));
  for (const database of concerned) await releaseSchemaLock(await sessions.of(database));
  return recovered;
}

async function isDecided(client: ClientBase, run: string): Promise<boolean> {
  const rows = await rowsOf(
    client,
    z.object({ run: z.string() }),
    "SELECT run FROM rollback.decision WHERE run = $1",
    [run],
  );
  return rows.length > 0;
}
