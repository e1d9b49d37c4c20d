import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { close, connect } from "../../operations/database/connection.ts";
import type { Report } from "../report.ts";
import type { World } from "./server.ts";
import { ours, psql } from "./tools.ts";

/** Milliseconds for which the long reader keeps the table. */
const held = 6000;

const names = {
  ours: "a reader of 6 s: rollback",
  naive: "a reader of 6 s: psql without lock_timeout",
};

/**
 * A report that takes 6 s has read the table that a reversal drops an index and a table of; somebody else only wants to read
 * a row. Longest time that this takes: behind the reversal, and behind the same without the reader.
 */
export async function measureLockQueue(report: Report, world: World): Promise<void> {
  const ways = [
    {
      name: names.ours,
      reverse: async (database: string) => (await ours(world, database, true)).milliseconds,
    },
    { name: names.naive, reverse: (database: string) => psql(world, database) },
  ];
  for (const { name, reverse } of ways) {
    const alone = await world.copy((database) => stalls(world, database, 0, reverse));
    const behind = await world.copy((database) => stalls(world, database, held, reverse));
    report.sample(name, "longest stall", "ms", behind.longest);
    report.sample(name, "without reader", "ms", alone.longest);
    report.sample(name, "beyond the DDL's own", "ms", Math.max(0, behind.longest - alone.longest));
    report.sample(name, "reversed after", "ms", behind.took);
  }
  report.compare(names.ours, names.naive);
}

async function stalls(
  world: World,
  database: string,
  heldMs: number,
  reverse: (database: string) => Promise<number>,
): Promise<{ longest: number; took: number }> {
  const reader = await connect(world.postgres.server, database);
  const innocent = await connect(world.postgres.server, database);
  try {
    if (heldMs > 0) await reader.query("BEGIN; SELECT count(*) FROM t1");
    const release = sleep(heldMs).then(() => reader.query("ROLLBACK"));
    const began = performance.now();
    const done = reverse(database).then(() => performance.now() - began);
    const longest = await longestRead(innocent, done);
    await release;
    return { longest, took: await done };
  } finally {
    await close(reader);
    await close(innocent);
  }
}

/** Reads again and again until `end`, or until the table is gone. */
async function longestRead(client: Client, end: Promise<number>): Promise<number> {
  let longest = 0;
  const ended = end.then(() => true);
  while (!(await Promise.race([ended, sleep(2, false)]))) {
    const began = performance.now();
    // The reversal takes the table away in the end; what waited for that has waited all the same.
    await client.query("SELECT FROM t1 LIMIT 1").catch(() => undefined);
    longest = Math.max(longest, performance.now() - began);
  }
  return longest;
}
