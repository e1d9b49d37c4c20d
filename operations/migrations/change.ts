import { carryOut } from "./carry-out.ts";
import type { CarryOutOptions, SchemaResult } from "./carry-out.ts";
import type { Connect } from "./observe.ts";
import { observer, planSchemaChange } from "./schema-plan.ts";
import type { SchemaPlan, SchemaRequest } from "./schema-plan.ts";
import { recoverPrepared } from "./two-phase.ts";
import type { Recovered } from "./two-phase.ts";

/**
 * Brings every database to its wanted version, all or none: finishes what a killed run left, plans from what is then there,
 * shows the plan and carries it out. Repeated after success it finds nothing to do.
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
  const recovered = await recoverPrepared(
    open,
    databases.map((database) => database.name),
    options.busyMs,
  );
  if (recovered.length > 0) options.onRecovered?.(recovered);
  const plan = await planSchemaChange({ ...request, databases, observe: observer(open) });
  options.onPlan?.(plan);
  return carryOut(plan, open, options);
}
