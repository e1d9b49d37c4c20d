import * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import type { EffectName } from "../hooks/names.ts";

/**
 * A line of the runbook as a resource: a Stash whose hook does the work before the new input is recorded.
 * All effects of a run share one revision, so that after a half-done run every one of them runs again.
 */
export function effect(hooks: Hooks, name: EffectName, options: pulumi.CustomResourceOptions): pulumi.Stash {
  const { hook } = hooks.effects[name];
  const input = { desired: hooks.context.inputs[name] ?? null, revision: hooks.context.revision };
  return new pulumi.Stash(
    name,
    { input },
    { ...options, hooks: { beforeCreate: [hook], beforeUpdate: [hook] } },
  );
}
