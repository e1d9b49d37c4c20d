import type * as pulumi from "@pulumi/pulumi";
import { backup } from "./backup.ts";
import { caches } from "./caches.ts";
import { containers } from "./containers.ts";
import type { RunContext } from "./context.ts";
import { registerEffect, type EffectDefinition, type RegisteredEffect } from "./effect.ts";
import { fence } from "./fence.ts";
import { flags } from "./flags.ts";
import type { EffectName } from "./names.ts";
import { registerInfrastructure, type InfrastructureKind } from "./infrastructure.ts";
import { front } from "./front.ts";
import { preflight } from "./preflight.ts";
import { ready } from "./ready.ts";
import { recovery } from "./recovery.ts";
import { reset } from "./reset.ts";
import { schema } from "./schema.ts";
import { takeover } from "./takeover.ts";
import { traffic } from "./traffic.ts";
import { verification } from "./verification.ts";

/** All hooks of the program, registered with the engine. */
export interface Hooks {
  readonly context: RunContext;
  readonly effects: Readonly<Record<EffectName, RegisteredEffect>>;
  /** Hooks that a resource of this kind carries; a new object each time, because the engine's SDK changes what it is given. */
  before(kind: InfrastructureKind): pulumi.ResourceHookBinding;
}

/** Registers every hook, also those this run will not need: the engine looks hooks up by name. */
export function registerHooks(context: RunContext): Hooks {
  const register = (definition: EffectDefinition): RegisteredEffect => registerEffect(context, definition);
  return {
    context,
    effects: {
      preflight: register(preflight),
      takeover: register(takeover),
      backup: register(backup),
      front: register(front),
      fence: register(fence),
      recovery: register(recovery),
      reset: register(reset),
      ready: register(ready),
      schema: register(schema),
      flags: register(flags),
      containers: register(containers),
      caches: register(caches),
      traffic: register(traffic),
      verification: register(verification),
    },
    before: registerInfrastructure(context),
  };
}
