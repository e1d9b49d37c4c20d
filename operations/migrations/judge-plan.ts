import type { Database } from "../../settings/types.ts";
import { note } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import { dropsIn, refuseDependents } from "./planning/dependents.ts";
import { notBroughtBack } from "./planning/lost.ts";
import type { Observer } from "./observer.ts";

/** Things named in one note. */
const shown = 6;

/**
 * What only a look at the catalogue, live and as it was recorded, tells of reversals. It takes as long as the plan again, and a
 * run finds it out anyway: it is for those who only look. Throws Refusal `SCHEMA_DEPENDENTS`.
 */
export async function judgePlan(
  plan: DatabasePlan,
  database: Database,
  observe: Pick<Observer, "dependents" | "changes">,
): Promise<DatabasePlan> {
  const drops = dropsIn(plan);
  if (drops.length > 0) refuseDependents(plan, await observe.dependents(database, drops));
  const recorded = plan.steps.filter(({ ledgerId }) => ledgerId !== undefined);
  if (recorded.length === 0) return plan;
  const changes = await observe.changes(
    database,
    recorded.flatMap(({ ledgerId }) => ledgerId ?? []),
  );
  const chain = recorded.flatMap((step) => {
    const found = changes.get(step.ledgerId ?? "");
    return found === undefined ? [] : [{ step, changes: found }];
  });
  const ends = plan.expected === undefined ? "" : " By its text the run will end in SCHEMA_NOT_RESTORED.";
  const notes = [...notBroughtBack(chain)].map(([where, things]) => {
    const more = things.length > shown ? ` and ${things.length - shown} more` : "";
    const text = `${where}: it does not bring back ${things.slice(0, shown).join(", ")}${more}.${ends}`;
    return note("SCHEMA_NOT_BROUGHT_BACK", text);
  });
  return notes.length === 0 ? plan : { ...plan, notes: [...plan.notes, ...notes] };
}
