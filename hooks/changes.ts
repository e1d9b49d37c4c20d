import { access } from "../operations/plan/access.ts";
import { keepChanges } from "../operations/recovery/slot/keep.ts";
import type { EffectRun } from "./effect.ts";

/** Keeps every change on record from here on, where that is configured. `fresh`: a new release comes. */
export async function recordChanges({ context, say }: EffectRun, fresh: boolean): Promise<void> {
  const { settings, desired, world, revision: run, session } = context;
  if (settings.cluster.kind !== "own") return;
  const databases = fresh
    ? [...world.schema].flatMap(([name, { exists }]) => (exists ? [name] : []))
    : [...desired.schema.keys()];
  await keepChanges({ server: access(settings), settings, databases, run, session, say }, fresh);
}
