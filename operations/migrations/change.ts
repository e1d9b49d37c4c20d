import { carryOut } from "./carry-out.ts";
import type { CarryOutOptions, SchemaResult } from "./carry-out.ts";
import { takeSchemaLock } from "./lock.ts";
import type { Connect } from "./connect.ts";
import { observerOver, planSchemaChange } from "./schema-plan.ts";
import type { SchemaPlan, SchemaRequest } from "./schema-plan.ts";
import { keepSessions } from "./sessions.ts";
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
  try {
    for (const name of names.toSorted()) {
      await takeSchemaLock(await sessions.of(name), name, options.busyMs ?? 10_000);
    }
    const recovered = await recoverWith(sessions, names, options.busyMs);
    if (recovered.length > 0) options.onRecovered?.(recovered);
    const plan = await planSchemaChange({ ...request, databases, observe: observerOver(sessions.lend) });
    options.onPlan?.(plan);
    return await carryOut(sessions, plan, open, options);
  } finally {
    await sessions.close();
  }
}
