import { openRoles } from "../operations/database/fence.ts";
import { withClient } from "../operations/database/connection.ts";
import { setPassword } from "../operations/database/passwords.ts";
import { assertRun, sessionName } from "../operations/journal/run-token.ts";
import { describePutBack } from "../operations/migrations/archives/describe.ts";
import { changeSchema } from "../operations/migrations/change.ts";
import { describePlan } from "../operations/migrations/describe.ts";
import { signatureOf } from "../operations/migrations/live/judge.ts";
import type { SchemaPlan } from "../operations/migrations/schema-plan.ts";
import { access, operatorAccess } from "../operations/plan/access.ts";
import { connectorTo } from "../operations/plan/schema.ts";
import { Refusal } from "../settings/refusal.ts";
import { operatorRole } from "../settings/names.ts";
import { rolePassword, scramVerifier } from "../settings/secrets.ts";
import { claim } from "./claim.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition } from "./effect.ts";
import { heaviest, lockBudget, onDrift } from "./schema-plan.ts";

/** Milliseconds of one statement where nobody is held: what was reckoned to be short and is not must end, too. */
const liveStatement = 2_000;

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
      {
        databases: settings.databases.values(),
        wanted: desired.schema,
        release: heaviest(context),
        budgetMs: lockBudget(settings),
        onDrift: onDrift(settings),
      },
      open,
      {
        onPlan: (plan) => {
          refuseUnforeseen(context, plan);
          say(describePlan(plan));
        },
        onStep: (step, n, of) => status(`${step.where} ${step.name} (${n} of ${of})`),
        onRecovered: (recovered) =>
          say(`finished what a killed run had left prepared: ${recovered.length} transactions`),
        warn: say,
        onBoundary: async (step) => {
          say(
            `${step.where} is committed by itself, because of ${step.alone ?? ""}${notes.lease === undefined ? "" : "; requests get 503 meanwhile"}`,
          );
          // Whatever happens from here on, the release that was serving does not get its schema back by itself.
          notes.schemaChanged = true;
          await notes.lease?.refuse();
        },
        // A program that outlived its engine may come this far; the later run's claim keeps it from writing.
        guard: (client) => assertRun(client, context.revision),
        lockTimeoutMs: settings.safety.lockTimeout,
        budgetMs: lockBudget(settings),
        onDifference: settings.safety.onDifference,
        ...(context.change.live ? { statementTimeoutMs: liveStatement } : {}),
      },
    );
    notes.schemaChanged ||= result.changed.length > 0;
    if (result.steps > 0)
      say(
        `${result.steps} migrations in ${(result.milliseconds / 1000).toFixed(2)} s, ${result.segments === 1 ? "in one transaction per database" : `committed in ${result.segments} parts`}`,
      );
    for (const { database, name, source, rows } of result.archived)
      say(`kept ${rows} rows of ${database} ${source} in rollback.${name}`);
    for (const archive of result.putBack)
      say(
        `from rollback.${archive.name} to ${archive.database} ${archive.source}: ${describePutBack(archive)}`,
      );
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
 * Everything in front of the schema was decided by what the program saw at its start: who waits, who is closed, what is
 * dumped. A step that this did not foresee is refused, whether a server that was down has turned out to hold another
 * schema, or what was left of a killed run has committed since.
 */
function refuseUnforeseen({ world, change, verdict }: RunContext, plan: SchemaPlan): void {
  const foreseen = new Set(change.schema.map(({ database, direction }) => `${direction} ${database}`));
  const looked = world.server.answers || !world.initialised;
  const steps = plan.databases.flatMap(({ database, steps: all }) =>
    all.map(({ direction }) => ({ database, direction })),
  );
  const surprise = steps.find(
    ({ database, direction }) => !looked || !foreseen.has(`${direction} ${database}`),
  );
  if (surprise === undefined && change.live && signatureOf(plan) !== verdict?.signature) {
    throw new Refusal({
      code: "SCHEMA_UNFORESEEN",
      found: "the steps of this live rollback are not those that were judged when this run began.",
      untouched: "No schema was changed.",
      next: "Run `pulumi up` once more: it judges them anew.",
    });
  }
  if (surprise === undefined) return;
  throw new Refusal({
    code: "SCHEMA_UNFORESEEN",
    found: `${surprise.database} has another schema than when this run began${looked ? "" : " without a server to look at"}, and nobody was fenced for what it needs now.`,
    untouched: "No schema was changed.",
    next: "Run `pulumi up` once more: it holds requests, dumps and then changes the schema.",
  });
}
