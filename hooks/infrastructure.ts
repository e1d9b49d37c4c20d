import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { removeOrphanRole } from "../operations/database/orphans.ts";
import { removeOrphanContainer, removeOrphanNetwork } from "../operations/docker/orphans.ts";
import { access } from "../operations/plan/access.ts";
import { stackLabel } from "../settings/names.ts";
import type { RunContext } from "./context.ts";
import { requireDone } from "./effect.ts";

export type InfrastructureKind = "container" | "network" | "role" | "infrastructure";

const named = z.object({ name: z.string() });

/**
 * Hooks of everything that is not an effect. Each asserts that this run's preflight is over. Before a create they also
 * remove what a killed run left behind under the same name: the engine is about to create it, so it has none on record.
 */
export function registerInfrastructure(
  context: RunContext,
): (kind: InfrastructureKind) => pulumi.ResourceHookBinding {
  const label = stackLabel(context.settings);
  const guard = (name: string): void => {
    context.alive();
    requireDone(context, ["preflight"], name);
  };
  const onCreate = (
    kind: InfrastructureKind,
    removeOrphan: (name: string) => Promise<unknown>,
  ): pulumi.ResourceHook =>
    new pulumi.ResourceHook(`rollback:create-${kind}`, async (args) => {
      guard(args.name);
      await removeOrphan(named.parse(args.newInputs).name);
    });
  const create: Record<InfrastructureKind, pulumi.ResourceHook> = {
    container: onCreate("container", (name) => removeOrphanContainer(name, label)),
    network: onCreate("network", (name) => removeOrphanNetwork(name, label)),
    role: onCreate("role", (name) => removeOrphanRole(access(context.settings), name)),
    infrastructure: new pulumi.ResourceHook("rollback:create-infrastructure", (args) => guard(args.name)),
  };
  const update = new pulumi.ResourceHook("rollback:update-infrastructure", (args) => guard(args.name));
  return (kind) => ({ beforeCreate: [create[kind]], beforeUpdate: [update] });
}
