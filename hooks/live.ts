import { liveFacts } from "../operations/migrations/live/facts.ts";
import { judgeLive, type LiveVerdict } from "../operations/migrations/live/judge.ts";
import { servingNow } from "../operations/plan/live.ts";
import { isRefusal } from "../settings/refusal.ts";
import type { MigrationOrder } from "../settings/schema.ts";
import { adminConnections, schemaPlan, type PlanQuestion } from "./schema-plan.ts";

/** Finds out whether this run's schema change can meet requests. Reads only. */
export async function judgeRun(
  context: PlanQuestion & { readonly order: MigrationOrder },
): Promise<LiveVerdict> {
  const { settings, world, order } = context;
  if (!world.server.answers)
    return { because: [`the server does not answer (${world.server.why})`], signature: "" };
  try {
    const plan = await schemaPlan(context);
    return judgeLive(plan, {
      serving: servingNow(settings, world, order),
      facts: await liveFacts(adminConnections(context), plan),
      lockMs: settings.safety.lockTimeout,
    });
  } catch (error) {
    // What cannot be planned is refused by the preflight, in full.
    if (!isRefusal(error)) throw error;
    return { because: [error.details.found], signature: "" };
  }
}
