import * as pulumi from "@pulumi/pulumi";
import { Refusal } from "../settings/refusal.ts";
import type { RunContext } from "./context.ts";
import { assertStillOurs } from "./claim.ts";
import { giveUp } from "./give-up.ts";
import type { EffectName } from "./names.ts";

/** What the body of an effect works with. */
export interface EffectRun {
  readonly context: RunContext;
  /** A line that stays in the output of `pulumi up`. */
  readonly say: (line: string) => void;
  /** A line that is replaced by the next one; for progress. */
  readonly status: (line: string) => void;
  /** Refuses unless these effects have run in this very run. */
  readonly requires: (...effects: readonly EffectName[]) => void;
}

export interface EffectDefinition {
  readonly name: EffectName;
  /** Says in a preview what `carryOut` would do. Changes nothing. */
  readonly preview?: (run: EffectRun) => Promise<void> | void;
  /** Does the work; safe to repeat, also after it was killed at any point. */
  readonly carryOut: (run: EffectRun) => Promise<void>;
}

/** An effect whose hook is registered with the engine. */
export interface RegisteredEffect {
  readonly name: EffectName;
  readonly hook: pulumi.ResourceHook;
}

/**
 * Registers an effect's hook under its fixed name. The work is done in a *before* hook: when that fails, the old input
 * stays in the state and the next `up` tries again, whereas a failing after hook would leave the step as done.
 */
export function registerEffect(context: RunContext, definition: EffectDefinition): RegisteredEffect {
  const { name, preview, carryOut } = definition;
  const callback = async ({ urn }: pulumi.ResourceHookArgs): Promise<void> => {
    const run = effectRun(context, name, urn);
    if (pulumi.runtime.isDryRun()) {
      await preview?.(run);
      return;
    }
    context.alive();
    const started = performance.now();
    // The server that `ready` waits for may only just have been started: it asks once that answers.
    if (name !== "ready") await assertStillOurs(context);
    await explained(context, name, () => carryOut(run));
    context.finished(name, performance.now() - started);
  };
  return { name, hook: new pulumi.ResourceHook(`rollback:${name}`, callback, { onDryRun: true }) };
}

function effectRun(context: RunContext, effect: EffectName, urn: pulumi.URN): EffectRun {
  // Not the Stash itself: the SDK would keep every line until that has its URN, which is after its before hook, and
  // would show none of an effect that fails.
  const about = new pulumi.DependencyResource(urn);
  const log = (line: string, ephemeral: boolean): void =>
    void pulumi.log.info(line, about, undefined, ephemeral);
  return {
    context,
    say: (line) => log(line, false),
    status: (line) => log(line, true),
    requires: (...effects) => requireDone(context, effects, effect),
  };
}

/**
 * Refuses when an effect of the runbook that must come first has not run. That happens only under `--target` or
 * `--exclude`, which leave steps out and would otherwise change a schema without its dump, or traffic without its check.
 */
export function requireDone(context: RunContext, effects: readonly EffectName[], before: string): void {
  const missing = effects.filter((effect) => !context.done.has(effect));
  if (missing.length === 0 || context.steady) return;
  throw new Refusal({
    code: "STEP_LEFT_OUT",
    found: `${before} would run without ${missing.join(", ")}, which this run leaves out.`,
    untouched: `Nothing was done by ${before}.`,
    next: "Run `pulumi up` without --target and --exclude.",
  });
}

/** Lets an operation fail in the words of its Refusal; on the way out the run is given up in an orderly manner. */
async function explained(context: RunContext, name: EffectName, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const aftermath = await giveUp(context, name, error);
    if (error instanceof Refusal)
      throw new Error([error.message, ...aftermath].join("\n  "), { cause: error });
    throw error;
  }
}
