import { sessionName } from "../operations/journal/run-token.ts";
import type { Connect } from "../operations/migrations/connect.ts";
import { observer } from "../operations/migrations/observer.ts";
import { planSchemaChange, type SchemaPlan } from "../operations/migrations/schema-plan.ts";
import { access } from "../operations/plan/access.ts";
import { connectorTo } from "../operations/plan/schema.ts";
import type { Settings } from "../settings/types.ts";
import type { Desired } from "../operations/plan/desired.ts";
import type { World } from "../operations/plan/world.ts";

/** The part of a run's context that planning needs; the context itself depends on what comes of it. */
export interface PlanQuestion {
  readonly settings: Settings;
  readonly world: World;
  readonly desired: Desired;
  readonly revision: string;
}

/** Connections as administrator that call themselves after this run, so that a later run can end them. */
export function adminConnections({ settings, revision }: PlanQuestion): Connect {
  return connectorTo(access(settings), sessionName(revision));
}

/** What would be done to the databases that exist. Reads only; throws the migration engine's Refusals. */
export async function schemaPlan(context: PlanQuestion): Promise<SchemaPlan> {
  const { settings, desired, world } = context;
  return planSchemaChange({
    databases: [...settings.databases.values()].filter(
      // What a database that is left holds is nobody's way any more.
      ({ name }) => world.schema.get(name)?.exists === true && name !== world.reset?.plan?.database,
    ),
    wanted: desired.schema,
    release: heaviest(context),
    observe: observer(adminConnections(context)),
    budgetMs: lockBudget(settings),
    onDrift: onDrift(settings),
    judge: true,
    limits: {
      archiveMs: settings.safety.archive,
      opaque: settings.safety.opaque,
      allow: { archive: "rollback:safety: { archive: 10m }", opaque: "rollback:safety: { opaque: accept }" },
    },
  });
}

/** Who takes a difference that a reversal leaves also takes one that was there before it. */
export function onDrift({ safety }: Settings): "refuse" | "note" {
  return safety.onDifference === "warn" ? "note" : "refuse";
}

/** The release that the ledger names for what a run applies. */
export function heaviest({ settings }: Pick<PlanQuestion, "settings">): string {
  return settings.live[0]?.release ?? "";
}

/** Requests wait no longer than the gate lets them; a lock or an index that takes longer never will be in time. Milliseconds. */
export function lockBudget({ gateway }: Settings): number {
  return Math.max(1_000, gateway.hold / 2);
}
