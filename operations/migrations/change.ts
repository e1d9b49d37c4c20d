import type { Client } from "pg";
import { carryOut } from "./carry-out.ts";
import type { CarryOutOptions, Held, SchemaResult } from "./carry-out.ts";
import { releaseSchemaLock, takeSchemaLock } from "./lock.ts";
import type { Connect } from "./connect.ts";
import { observerOver } from "./observer.ts";
import { planSchemaChange } from "./schema-plan.ts";
import type { SchemaPlan, SchemaRequest } from "./schema-plan.ts";
import { keepSessions } from "./sessions.ts";
import { readFolder } from "./layouts/index.ts";
import type { Database } from "../../settings/types.ts";
import { recoverWith } from "./two-phase.ts";
import type { Recovered } from "./two-phase.ts";

/**
 * Brings every database to its wanted version, all or none: keeps other runs out, finishes what a killed run left, plans from
 * what is then there, shows the plan and carries it out. Repeated after success it finds nothing to do.
 */
export async function changeSchema(
  request: Omit<SchemaRequest, "observe">,
  open: Connect,
  options: CarryOutOptions & {
    readonly onPlan?: (plan: SchemaPlan) => void;
    readonly onRecovered?: (recovered: readonly Recovered[]) => void;
  } = {},
): Promise<SchemaResult> {
  const databases = [...request.databases];
  const names = databases.map((database) => database.name);
  const sessions = keepSessions(open);
  // Read while the connections are made, each folder once.
  const folders = new Map(databases.map((database) => [database, readFolder(database)]));
  // What is wrong with one is told when the plan comes to it.
  for (const each of folders.values()) each.catch(() => undefined);
  const folder = (database: Database) => folders.get(database) ?? readFolder(database);
  const held = new Map<string, Held>();
  try {
    for (const name of names.toSorted()) {
      const client = await sessions.of(name);
      held.set(name, { client, pid: await takeSchemaLock(client, name, options.busyMs ?? 10_000) });
    }
    const recovered = await recoverWith(sessions, names, options.busyMs);
    if (recovered.length > 0) options.onRecovered?.(recovered);
    const plan = await planSchemaChange({
      ...request,
      databases,
      folder,
      observe: observerOver(sessions.lend),
    });
    options.onPlan?.(plan);
    const result = await carryOut(held, plan, open, options);
    // What waits for the locks can go on; the server's farewell takes as long as twenty steps, and nobody needs it.
    await Promise.all([...held.values()].map(({ client }) => giveBack(client)));
    void sessions.close();
    return result;
  } catch (error) {
    await sessions.close();
    throw error;
  }
}

/** A session that broke after everything was committed has given its lock back already. */
async function giveBack(client: Client): Promise<void> {
  await releaseSchemaLock(client).catch(() => undefined);
}
