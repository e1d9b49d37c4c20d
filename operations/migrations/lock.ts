import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { rowOf, rowsOf } from "../database/query.ts";

/** Key of the advisory lock that a run holds in each database it changes. */
const key = "hashtext('rollback'), hashtext('schema')";

/**
 * Takes this database's schema lock for the session, by asking again and again: a session that waits inside PostgreSQL holds a
 * snapshot, on which CREATE INDEX CONCURRENTLY of another session would hang. The lock goes with the session, so a killed
 * program leaves nothing behind. Returns the session's process id. Refusal `SCHEMA_BUSY` after `waitMs` milliseconds.
 */
export async function takeSchemaLock(client: ClientBase, database: string, waitMs: number): Promise<number> {
  const end = performance.now() + waitMs;
  for (;;) {
    const { got, pid } = await rowOf(
      client,
      z.object({ got: z.boolean(), pid: z.number() }),
      `SELECT pg_try_advisory_lock(${key}) AS got, pg_backend_pid() AS pid`,
    );
    if (got) return pid;
    if (performance.now() >= end) throw busy(database, await holder(client), waitMs);
    await sleep(30 + Math.random() * 70);
  }
}

/** Gives the lock back before the session ends. */
export async function releaseSchemaLock(client: ClientBase): Promise<void> {
  await client.query(`SELECT pg_advisory_unlock(${key})`);
}

const holderRow = z.object({
  pid: z.number(),
  application: z.string().nullable(),
  since: z.string().nullable(),
});

async function holder(client: ClientBase): Promise<z.infer<typeof holderRow> | undefined> {
  const [row] = await rowsOf(
    client,
    holderRow,
    `SELECT l.pid, a.application_name AS application, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since
     FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid IS NOT NULL
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.classid::bigint = hashtext('rollback')::bigint & 4294967295
       AND l.objid::bigint = hashtext('schema')::bigint & 4294967295`,
  );
  return row;
}

function busy(database: string, by: z.infer<typeof holderRow> | undefined, waitMs: number): Refusal {
  const who =
    by === undefined
      ? ""
      : ` (pid ${by.pid}, ${by.application ?? "unknown"}, since ${by.since ?? "unknown"})`;
  return new Refusal({
    code: "SCHEMA_BUSY",
    found: `another run is changing the schema of ${database}${who}; waited ${(waitMs / 1000).toFixed(1)} s.`,
    untouched: "Nothing was changed by this run.",
    next: "Wait for it to end, then run `pulumi up` again; a run whose program was killed ends with its connection.",
  });
}
