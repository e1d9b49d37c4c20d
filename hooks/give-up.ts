import { openRoles } from "../operations/database/fence.ts";
import { access, applicationName } from "../operations/plan/access.ts";
import { connectorTo, observeSchema } from "../operations/plan/schema.ts";
import { removeInstance } from "../operations/recovery/instance.ts";
import { dropUnfinished } from "../operations/reset/make.ts";
import { isRefusal } from "../settings/refusal.ts";
import { assertStillOurs } from "./claim.ts";
import type { RunContext } from "./context.ts";
import type { EffectName } from "./names.ts";

/**
 * The orderly end of a run whose effect failed while requests were held. When no schema has changed, the roles that were
 * closed are opened first and the gate after them, and everything is as before. Else the gate answers 503 until the next
 * `up` has finished or gone back: an old release on a new schema would be worse. Returns what the user should know.
 */
export async function giveUp(context: RunContext, effect: EffectName, cause: unknown): Promise<string[]> {
  const { notes, settings, world, change } = context;
  const { lease } = notes;
  // By its id: when this run was overtaken, there may be another of the same name.
  if (notes.instance !== undefined) await removeInstance(notes.instance.container);
  await dropPrepared(context);
  if (change.live && notes.schemaChanged && !notes.switched)
    return [
      "Requests go on to what was serving, which runs on the schema as it is now; `pulumi up` finishes.",
    ];
  if (lease === undefined || notes.switched) return afterTakeover(context);
  delete notes.lease;
  try {
    if (await isOvertaken(context, cause)) {
      await lease.letGo();
      return ["Roles, routes and gate are left to the run that took over."];
    }
    if (await schemaIsAsBefore(context)) {
      await openRoles(access(settings), notes.closed, context.session);
      if (world.gateway.rest === "closed") {
        await lease.close();
        return ["The gateway answers 503 as it did before this run; no schema was changed."];
      }
      await lease.abort();
      return ["Requests flow again to the release that was serving; no schema was changed."];
    }
    await lease.close();
    return [
      `The schema has changed and ${effect} failed: the gateway answers 503 with Retry-After until \`pulumi up\` has finished or gone back.`,
    ];
  } catch (error) {
    // The lease is not renewed any more and ends by itself, as it was told to.
    await lease.letGo();
    const why = error instanceof Error ? error.message : String(error);
    return [
      `The way out failed too (${why}); the hold ends by itself within seconds.`,
      ...(cause instanceof Error ? [] : [String(cause)]),
    ];
  }
}

/** A database that was being made anew; where the server is gone the next run removes it. */
async function dropPrepared({ settings, notes, revision }: RunContext): Promise<void> {
  if (notes.prepared === undefined) return;
  await dropUnfinished(settings, [notes.prepared], revision).catch(() => undefined);
  delete notes.prepared;
}

/** Nobody serves when a run fails that has just taken over. */
function afterTakeover({ settings, world, done }: RunContext): string[] {
  if (settings.takeover === undefined || !done.has("takeover") || world.takeover === undefined) return [];
  const { server, containers } = settings.takeover;
  return [
    `${[server, ...containers].join(", ")} are stopped and kept. \`pulumi up\` goes on from here; docs/adopting.md tells the way back to them.`,
  ];
}

/** Whether the stack belongs to a later run by now, whose roles and gate are not this one's to change. */
async function isOvertaken(context: RunContext, cause: unknown): Promise<boolean> {
  if (isRefusal(cause, "RUN_OVERTAKEN")) return true;
  try {
    await assertStillOurs(context);
    return false;
  } catch (error) {
    if (isRefusal(error, "RUN_OVERTAKEN")) return true;
    throw error;
  }
}

async function schemaIsAsBefore({ settings, world, change, notes }: RunContext): Promise<boolean> {
  if (notes.schemaChanged) return false;
  const before = new Map(
    change.schema.map(({ database }) => [database, world.schema.get(database)?.version]),
  );
  const anew = world.reset?.plan;
  if (anew !== undefined) before.set(anew.database, anew.versionBefore);
  const versions = await Promise.all(
    [...before].map(async ([database, was]) => {
      const entry = settings.databases.get(database);
      if (entry === undefined) return false;
      const { version } = await observeSchema(
        entry,
        connectorTo(access(settings), applicationName(settings)),
      );
      return version === was;
    }),
  );
  return versions.every(Boolean);
}
