import type { Client } from "pg";
import { close } from "../database/connection.ts";
import { isUnreachable } from "../database/errors.ts";
import { literal } from "../database/query.ts";
import { connectionLost, unfinished } from "./failures.ts";
import { hasEvent } from "./ledger/write.ts";
import { takeSchemaLock } from "./lock.ts";
import type { Connect } from "./connect.ts";
import type { DatabasePlan } from "./plan.ts";
import { asPrepareError, isPreparable } from "./preparable.ts";
import { decisionSql, forgetDecisionSql, preparedName } from "./two-phase.ts";

/** One database's part of a run, with the session that its transaction is open in. */
export interface Part {
  readonly plan: DatabasePlan;
  readonly client: Client;
  /** Process id of the session's server process. */
  readonly pid: number;
}

/** Moments of a run that tests can look at. */
export type Moment = "locked" | "worked" | "prepared" | "decided";

/**
 * Commits all parts or none: all but the last prepare, the last commits in one phase, with the decision when there are
 * others. One part commits as ever. Throws `SCHEMA_UNFINISHED` when it is decided and not all could be told.
 */
export async function commitParts(
  parts: readonly Part[],
  run: string,
  open: Connect,
  at: ((moment: Moment) => void | Promise<void>) | undefined,
): Promise<void> {
  const last = parts.find(({ plan }) => !isPreparable(plan)) ?? parts.at(-1);
  if (last === undefined) return;
  const others = parts.filter((part) => part !== last);
  const prepared: { part: Part; gid: string }[] = [];
  try {
    for (const [number, part] of others.entries()) {
      const gid = preparedName(run, number, last.plan.database);
      await part.client.query(`PREPARE TRANSACTION ${literal(gid)}`).catch((error: unknown) => {
        throw asPrepareError(part.plan, error);
      });
      prepared.push({ part, gid });
    }
    await at?.("prepared");
    if (others.length > 0) await last.client.query(decisionSql(run));
    await commitLast(last, run, open);
  } catch (error) {
    for (const { part, gid } of prepared) {
      // Without a decision the next run rolls back what cannot be rolled back now.
      await part.client.query(`ROLLBACK PREPARED ${literal(gid)}`).catch(() => undefined);
    }
    throw error;
  }
  if (prepared.length === 0) return;
  try {
    await at?.("decided");
    for (const { part, gid } of prepared) await part.client.query(`COMMIT PREPARED ${literal(gid)}`);
    await last.client.query(forgetDecisionSql(run));
  } catch (error) {
    throw unfinished(
      prepared.map(({ part }) => part.plan.database),
      error,
    );
  }
}

/** When the line breaks during COMMIT nobody knows what became of it, except the database: its event tells. */
async function commitLast({ client, plan }: Part, run: string, open: Connect): Promise<void> {
  try {
    await client.query("COMMIT");
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    if (!(await wasCommitted(plan.database, run, open).catch(notToBeAsked)))
      throw connectionLost(plan.database, error);
  }
}

/** While the server is away nobody can tell; the next run sees what is there. */
function notToBeAsked(error: unknown): false {
  if (isUnreachable(error)) return false;
  throw error;
}

async function wasCommitted(database: string, run: string, open: Connect): Promise<boolean> {
  const client = await open(database);
  try {
    // The backend of the broken connection holds the lock until it is through with the COMMIT.
    await takeSchemaLock(client, database, 30_000);
    return await hasEvent(client, run);
  } finally {
    await close(client);
  }
}
