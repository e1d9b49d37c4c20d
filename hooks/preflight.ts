import { archiveBehind } from "../operations/archive/set-up.ts";
import { describeWaiting, measureWaiting } from "../operations/archive/waiting.ts";
import { planSettings } from "../operations/database/settings-change.ts";
import { openRun } from "../operations/journal/journal.ts";
import { access } from "../operations/plan/access.ts";
import { describeChange } from "../operations/plan/describe.ts";
import { formerFront } from "../operations/plan/front.ts";
import { unarchived } from "../operations/plan/drift.ts";
import { journalKey, runRecord } from "../operations/plan/record.ts";
import { checkCapacity, describeCapacity, missingCapacity } from "../operations/preflight/capacity.ts";
import { checkBeforeAnything } from "../operations/preflight/checks.ts";
import { describePlan } from "../operations/migrations/describe.ts";
import { checkLive } from "../operations/plan/live.ts";
import { instanceName, removeInstance } from "../operations/recovery/instance.ts";
import { checkMove, describeMove } from "../operations/recovery/move.ts";
import { describeAbandoned } from "../operations/recovery/reopen.ts";
import { describeReset } from "../operations/reset/describe.ts";
import { refuseDuringCommand } from "../operations/reset/lock.ts";
import { dropUnfinished, openClosed } from "../operations/reset/make.ts";
import { refuseOtherSchema } from "../operations/takeover/describe.ts";
import { refuseStoppedUpstreams } from "../operations/takeover/upstreams.ts";
import { leaveFront, tryFront } from "../operations/traffic/front.ts";
import { operatorRole } from "../settings/names.ts";
import { claim, claimRouter } from "./claim.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";
import { schemaPlan } from "./schema-plan.ts";
import { checkUnits } from "./units.ts";

/** Refuses what cannot be done before anything stops, and says what will be done. A refused preflight opens no run. */
export const preflight: EffectDefinition = {
  name: "preflight",
  preview: check,
  carryOut: async (run) => {
    await check(run);
    if (run.context.front !== undefined) await tryFront(run.context.front);
    await open(run.context);
    await leaveFormerFront(run);
  },
};

async function check({ context, say }: EffectRun): Promise<void> {
  const { settings, world, desired, change, because, names } = context;
  for (const line of describeChange(world, change, because)) say(line);
  if (world.move !== undefined) for (const line of describeMove(world.move)) say(line);
  if (world.abandoned !== undefined && settings.cluster.kind === "own")
    say(describeAbandoned(world.abandoned, settings.cluster.volume));
  const anew = world.reset?.plan;
  if (anew !== undefined) for (const line of describeReset(anew)) say(line);
  checkBeforeAnything(settings, world, desired);
  await checkUnits(context);
  if (world.takeover !== undefined) {
    refuseOtherSchema(desired.schema, world.takeover);
    await refuseStoppedUpstreams(settings, world.takeover);
  }
  const missing = missingCapacity(settings, world, desired);
  checkCapacity(settings, missing);
  for (const line of describeCapacity(missing)) say(`fewer containers than now: ${line}`);
  checkLive(settings, change);
  if (world.move !== undefined) checkMove(settings, world.move, change.schema);
  if (!world.server.answers) return;
  if (settings.cluster.kind === "own") {
    const failing = unarchived(settings, world);
    if (failing !== undefined && world.move !== undefined) throw archiveBehind(failing);
    if (failing !== undefined) {
      const waits = describeWaiting(await measureWaiting(names.postgres, access(settings)));
      say(`WARNING: ${failing} of the WAL cannot be archived; ${waits}`);
    }
    const { lines } = await planSettings(access(settings), names.postgres, settings.cluster.settings);
    for (const line of lines) say(`server setting ${line}`);
  }
  if (change.schema.length > 0) say(describePlan(await schemaPlan(context)));
}

/** Ends whatever is left of an earlier run and puts this one on record. */
async function open(context: RunContext): Promise<void> {
  const { settings, world, revision } = context;
  // What a killed recovery left running is begun anew, or not wanted any more.
  const recovering = instanceName(settings);
  if (world.containers.some(({ name }) => name === recovering)) await removeInstance(recovering);
  if (world.gateway.mode !== "absent") await claimRouter(context);
  // What this run finds of somebody else's making has no place yet for what is put on record, and nobody to own it.
  if (!world.server.answers || !world.server.observation.roles.has(operatorRole)) return;
  const existing = existingDatabases(context);
  await refuseDuringCommand(settings);
  await claim(context, existing);
  await mendResets(context);
  const [first] = settings.databases.keys();
  if (first === undefined || !existing.includes(first)) return;
  const record = runRecord(settings, context, {
    revision,
    effects: JSON.stringify(context.inputs),
    containers: new Map(),
  });
  await openRun(
    access(settings),
    first,
    journalKey(settings, world.server.observation),
    record,
    context.session,
  );
}

/** What a killed reset has left: half of a new database, or the one in use closed. */
async function mendResets({ settings, world: { reset } }: RunContext): Promise<void> {
  if (reset === undefined) return;
  if (reset.left.length > 0) await dropUnfinished(settings, reset.left);
  if (reset.closed.length > 0) await openClosed(settings, reset.closed);
}

/** An nginx that no longer stands in front lets go of the ports before the door needs them. */
async function leaveFormerFront({ context, say }: EffectRun): Promise<void> {
  const former = formerFront(context.world, context.front);
  if (former === undefined) return;
  await leaveFront(former);
  say(`the existing nginx no longer listens for this stack: ${former.file} was removed`);
}

function existingDatabases({ settings, world }: RunContext): string[] {
  return [...settings.databases.keys()].filter((name) => world.schema.get(name)?.exists === true);
}
