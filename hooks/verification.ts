import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { isRunning, observeContainers } from "../operations/docker/observe.ts";
import { docker } from "../operations/docker/run.ts";
import { openRoles, retireRoles } from "../operations/database/fence.ts";
import { observeServer } from "../operations/database/observe.ts";
import { writeFinished, writeWayBack } from "../operations/journal/journal.ts";
import { writeVerification } from "../operations/journal/verification.ts";
import { access, applicationName } from "../operations/plan/access.ts";
import { rolesToRetire } from "../operations/plan/change.ts";
import { journalKey, runRecord } from "../operations/plan/record.ts";
import { formerRoutes } from "../operations/plan/former.ts";
import { applyRoutes } from "../operations/traffic/routes.ts";
import { checkTable, failures, type Check } from "../operations/verification/report.ts";
import { bake } from "../operations/verification/bake.ts";
import { logChecks } from "../operations/verification/logs.ts";
import { observeUnits } from "../operations/native/observe.ts";
import { writeLive } from "../operations/stack-file/live.ts";
import { stackFileOf } from "../operations/stack-file/which.ts";
import { verify } from "../operations/verification/verify.ts";
import { Refusal } from "../settings/refusal.ts";
import { stackLabel } from "../settings/names.ts";
import { proveArchive } from "./archive.ts";
import { recordChanges } from "./changes.ts";
import { assertStillOurs } from "./claim.ts";
import { stopUnits } from "./units.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";

/**
 * Proves the new state, or fails the `up` while everything that leaves is still there. Its last act is the journal's row
 * of a finished run, from which the next program knows that nothing has to be done.
 */
export const verification: EffectDefinition = {
  name: "verification",
  carryOut: async (run) => {
    run.requires("preflight", "schema", "containers", "traffic");
    const { context, say } = run;
    const { settings, desired, names, notes } = context;
    const checks = await verify({
      settings,
      desired,
      router: names.router,
      server: access(settings),
      tablesBefore: notes.tablesBefore,
      changed: new Set(context.change.schema.map(({ database }) => database)),
      name: applicationName(settings),
      since: switchedAt(context),
    });
    say(checkTable(checks));
    await record(context, checks);
    const wrong = failures(checks);
    if (wrong.length > 0) throw await unproven(context, wrong);
    await baked(run);
    await stopUnfit(context);
    const stopped = await stopUnits(context);
    if (stopped.length > 0) say(`stopped ${stopped.join(", ")}`);
    await retireRoles(access(settings), rolesToRetire(settings, context.world, desired), context.session);
    await finish(context);
    // Where a server was stopped for this run, its archive has not been proven yet.
    if (run.context.change.hold) await proveArchive(run);
    await recordChanges(run, false);
    say(summary(context));
  },
};

/** After a switch the router's own measurements are watched; without a switch there is nothing new to watch. */
async function baked({ context, say, status }: EffectRun): Promise<void> {
  const { settings, names, change } = context;
  const { bake: time, onBadBake } = settings.safety;
  const switched =
    change.kind !== "first deployment" && (change.arriving.length > 0 || weightsChanged(context));
  if (time === 0 || !switched) return;
  const releases = settings.live.map(({ release }) => release);
  const measured = await bake({ router: names.router, releases, safety: settings.safety, status });
  const checks = [
    ...measured,
    ...(await logChecks(settings, context.desired.containers, switchedAt(context))),
  ];
  say(checkTable(checks));
  await record(context, checks);
  const wrong = failures(checks);
  if (wrong.length === 0) return;
  if (onBadBake === "fail") throw await unproven(context, wrong);
  say("rollback:safety.onBadBake is warn: the new state is kept all the same");
}

function weightsChanged({ settings, world }: RunContext): boolean {
  const before = world.journal?.weights;
  return before === undefined || settings.live.some(({ release, weight }) => before.get(release) !== weight);
}

/** When requests began to wait for the switch, or else when the run began. */
function switchedAt({ notes }: RunContext): Date {
  return (notes.heldSince ?? notes.startedAt).at;
}

/** Puts the table on record, from where `rollback verification --json` reads it. */
async function record({ settings, revision, session }: RunContext, checks: readonly Check[]): Promise<void> {
  const [first] = settings.databases.keys();
  if (first === undefined) return;
  const proven = failures(checks).length === 0;
  const plain = checks.map(({ what, found, wrong }) => ({ what, found, wrong: [...wrong] }));
  const row = { stack: stackLabel(settings), run: revision, proven, checks: plain };
  await writeVerification(access(settings), first, row, session);
}

/** Traffic goes back at once where the leaving release lives and the schema suits it; anything more is left to a person. */
async function unproven(context: RunContext, wrong: readonly Check[]): Promise<Refusal> {
  const { settings, names, world, change, revision } = context;
  const found = `the new state is not proven: ${wrong.map(({ what, wrong: why }) => `${what}: ${why.join(", ")}`).join("; ")}.`;
  const former =
    change.schema.length === 0 && world.move === undefined && world.reset?.plan === undefined
      ? formerRoutes(settings, world)
      : undefined;
  if (former !== undefined) {
    // A bake is long: its engine may have been killed meanwhile, and the stack be a later run's.
    await assertStillOurs(context);
    await openRoles(access(settings), former.roles);
    await applyRoutes(names.router, former.config, revision);
    return new Refusal({
      code: "VERIFICATION_FAILED",
      found,
      untouched: `Traffic went back to ${former.releases.join(", ")} at once, which was still running.`,
      next: await nameInFile(context),
    });
  }
  const command = "put the previous stack configuration back, then: pulumi up";
  const [first] = settings.databases.keys();
  if (first !== undefined) await writeWayBack(access(settings), first, revision, { reason: found, command });
  return new Refusal({
    code: "VERIFICATION_FAILED",
    found,
    untouched: "The new release has the traffic; what left is still there, and a verified dump as well.",
    next: "Mend it and run `pulumi up`, or put the previous stack configuration back and run `pulumi up`.",
  });
}

/** Makes the stack file name what serves again; returns what is left to do. */
async function nameInFile({ settings, world }: RunContext): Promise<string> {
  const file = await stackFileOf(pulumi.getRootDirectory(), settings.stack);
  const former = world.journal?.weights ?? new Map<string, number>();
  const known = former.size > 0 && [...former.keys()].every((release) => settings.releases.has(release));
  const live = new Map(settings.live.map(({ release, weight }) => [release, weight]));
  return known && (await writeLive(file, live, former))
    ? `${path.basename(file)} names it as live again; \`pulumi up\` removes what the failed release has left.`
    : "Put the previous configuration back and run `pulumi up`, so that the stack file does not name the bad release.";
}

/** A standby that the new schema does not suit is kept, but does not run; only now, as it was the way back until here. */
async function stopUnfit({ desired, settings }: RunContext): Promise<void> {
  for (const { name, service, started, unit } of desired.containers) {
    if (started || unit !== undefined || !(await isRunning(name))) continue;
    const grace = settings.services.get(service)?.stopGrace ?? 10_000;
    await docker(["stop", "--time", String(Math.ceil(grace / 1000)), name], { timeoutMs: grace + 30_000 });
  }
}

async function finish(context: RunContext): Promise<void> {
  const { settings, names, revision, inputs } = context;
  const [first] = settings.databases.keys();
  if (first === undefined) return;
  const [server, containers, units] = await Promise.all([
    observeServer(access(settings), { roles: [], rolePrefixes: [], settings: [] }),
    observeContainers(stackLabel(settings), names.network),
    observeUnits(settings, context.desired.subnet),
  ]);
  const wanted = new Set(context.desired.containers.map(({ name }) => name));
  const ids = new Map(
    [...containers, ...units].filter(({ name }) => wanted.has(name)).map(({ name, id }) => [name, id]),
  );
  const record = runRecord(settings, context, { revision, effects: JSON.stringify(inputs), containers: ids });
  await writeFinished(access(settings), first, journalKey(settings, server), record);
}

function summary({ change, notes, settings }: RunContext): string {
  const live = settings.live.map(({ release, weight }) => `${release} ${weight} %`).join(", ");
  const held =
    notes.heldFor === undefined
      ? "no request was held"
      : `requests were held for ${(notes.heldFor / 1000).toFixed(2)} s`;
  const dump = notes.dump === undefined ? "" : `; dump: ${notes.dump}`;
  return `${change.kind} proven: ${live}; ${held}; took ${((performance.now() - notes.startedAt.tick) / 1000).toFixed(1)} s${dump}`;
}
