import { underLock } from "../operations/reset/lock.ts";
import type { ResetWork } from "../operations/reset/make.ts";
import { prepareReset } from "../operations/reset/prepare.ts";
import { switchReset } from "../operations/reset/switch.ts";
import type { ResetPlan } from "../operations/reset/types.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";

/** Puts the database that was prepared in the place of the one in use, behind the fence; that one is kept under another name. */
export const reset: EffectDefinition = {
  name: "reset",
  preview: ({ context, say }) => {
    if (context.world.server.answers && context.world.reset?.plan === undefined) say(doneBefore(context));
  },
  carryOut: async (run) => {
    run.requires("preflight", "backup", "fence", "ready");
    const { context, say } = run;
    const plan = context.world.reset?.plan;
    if (plan === undefined) {
      say(doneBefore(context));
      return;
    }
    await underLock(lockOf(run), () => switchReset(workOf(run, plan)));
    delete context.notes.prepared;
    // Whoever served before may run on it only where the schema is the same.
    if (plan.version !== plan.versionBefore) context.notes.schemaChanged = true;
  },
};

/** Makes and loads the new database while everybody still works: what can go wrong goes wrong before anything stops. */
export async function beginReset(run: EffectRun): Promise<void> {
  const { context } = run;
  const plan = context.world.reset?.plan;
  if (plan === undefined) return;
  if (plan.kind === "anew") context.notes.prepared = plan.successor;
  await underLock(lockOf(run), () => prepareReset(workOf(run, plan)));
}

function doneBefore({ settings: { reset: asked } }: RunContext): string {
  return `done before, with ${asked?.database ?? ""} kept as ${asked?.keepAs ?? ""}: rollback:reset may be taken out`;
}

function workOf({ context: { settings, revision }, say }: EffectRun, plan: ResetPlan): ResetWork {
  return { settings, plan, run: revision, say };
}

function lockOf({ context: { settings, revision }, say }: EffectRun): Parameters<typeof underLock>[0] {
  return { settings, run: revision, by: "up", say };
}
