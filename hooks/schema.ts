import { openRoles } from "../operations/database/fence.ts";
import { withClient } from "../operations/database/connection.ts";
import { setPassword } from "../operations/database/passwords.ts";
import { assertRun, sessionName } from "../operations/journal/run-token.ts";
import { changeSchema } from "../operations/migrations/change.ts";
import { describePlan } from "../operations/migrations/describe.ts";
import { access, operatorAccess } from "../operations/plan/access.ts";
import { connectorTo } from "../operations/plan/schema.ts";
import { Refusal } from "../settings/refusal.ts";
import { operatorRole } from "../settings/names.ts";
import { rolePassword, scramVerifier } from "../settings/secrets.ts";
import { claim } from "./claim.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition } from "./effect.ts";
import { heaviest } from "./schema-plan.ts";

/** Brings every database of the stack to the live releases' schema, forward or back, all or none. */
export const schema: EffectDefinition = {
  name: "schema",
  carryOut: async (run) => {
    run.requires("preflight", "backup", "fence", "ready");
    const { context, say, status } = run;
    const { settings, desired, notes } = context;
    await ensureOperator(context);
    await claim(context, settings.databases.keys());
    const open = connectorTo(operatorAccess(settings), sessionName(context.revision, "schema"));
    const result = await changeSchema(
      { databases: settings.databases.values(), wanted: desired.schema, release: heaviest(context) },
      open,
      {
        onPlan: (plan) => {
          refuseUnfenced(
            context,
            plan.databases.flatMap(({ steps }) => steps.map(({ direction }) => direction)),
          );
          say(describePlan(plan));
        },
        onStep: (step, n, of) => status(`${step.where} ${step.name} (${n} of ${of})`),
        onRecovered: (recovered) =>
          say(`finished what a killed run had left prepared: ${recovered.length} transactions`),
        warn: say,
        // A program that outlived its engine may come this far; the later run's claim keeps it from writing.
        guard: (client) => assertRun(client, context.revision),
        lockTimeoutMs: settings.safety.lockTimeout,
        // Requests wait no longer than the gate lets them; a lock that is not granted by then never will be in time.
        budgetMs: Math.max(1_000, settings.gateway.hold / 2),
      },
    );
    notes.schemaChanged = result.changed.length > 0;
    if (result.steps > 0)
      say(
        `${result.steps} migrations in ${(result.milliseconds / 1000).toFixed(2)} s, in one transaction per database`,
      );
    for (const { database, name, source, rows } of result.archived)
      say(`kept ${rows} rows of ${database} ${source} in rollback.${name}`);
    const opened = await openRoles(
      access(settings),
      desired.roles.filter((role) => role.open).map(({ role }) => role),
      context.session,
    );
    if (opened.changed.length > 0) say(`opened in the database: ${opened.changed.join(", ")}`);
  },
};

/** The operator's password is kept in force here and not by a resource: its role may be older than the stack's state. */
async function ensureOperator({ settings }: RunContext): Promise<void> {
  const password = rolePassword(settings.secrets, operatorRole);
  await withClient(access(settings), "postgres", (client) =>
    setPassword(client, operatorRole, scramVerifier(password, operatorRole)),
  );
}

/**
 * A server that was down when the run began may turn out to need a change that nobody was fenced for. Then this `up` has
 * brought the server back, and the next one does the rest in the right order.
 */
function refuseUnfenced({ world, change, settings }: RunContext, directions: readonly string[]): void {
  const planned = change.schema.some(({ direction }) => direction === "reverse");
  const known = world.server.answers || !world.initialised;
  if (known && (planned || !directions.includes("reverse"))) return;
  if (directions.length === 0) return;
  throw new Refusal({
    code: "SERVER_WAS_DOWN",
    found: "the server did not answer when this run began, and now that it does, its schema has to change.",
    untouched: `No schema was changed. ${[...settings.databases.keys()].join(", ")} can be reached again.`,
    next: "Run `pulumi up` once more: it holds requests, dumps and then changes the schema.",
  });
}
