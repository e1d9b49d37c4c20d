import { openRoles } from "../operations/database/fence.ts";
import { isRunning } from "../operations/docker/observe.ts";
import { docker } from "../operations/docker/run.ts";
import { tellOfFlags } from "../operations/flags/reload.ts";
import { access } from "../operations/plan/access.ts";
import { flagsFile } from "../operations/plan/environment.ts";
import { drain } from "../operations/traffic/drain.ts";
import { waitHealthy } from "../operations/traffic/probe.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";
import { holdRequests } from "./hold.ts";

/** Every container whose release fits the schema runs, is healthy and knows its flags, before it gets any traffic. */
export const containers: EffectDefinition = {
  name: "containers",
  preview: ({ context, say }) => {
    if (context.change.arriving.length > 0)
      say(`starts ${context.change.arriving.join(", ")} and waits until it is healthy`);
  },
  carryOut: async (run) => {
    run.requires("preflight", "schema", "flags");
    const { context } = run;
    const { desired, settings } = context;
    // A fence of this run may have closed roles that stay.
    const open = desired.roles.filter((role) => role.open).map(({ role }) => role);
    await openRoles(access(settings), open, context.session);
    await startAll(run);
    run.say(`healthy: ${desired.running.join(", ")}`);
    await tellThoseThatStayed(run);
  },
};

async function startAll({ context, status }: EffectRun): Promise<void> {
  const { desired, settings, names, world } = context;
  const running = new Set(world.containers.filter((each) => each.running).map(({ name }) => name));
  const started = desired.containers.filter((each) => each.started);
  const stopped = started.map(({ name }) => name).filter((name) => !running.has(name));
  if (stopped.length > 0) await docker(["start", ...stopped]);
  await Promise.all(
    started.map(async ({ name, service, address }) => {
      const entry = settings.services.get(service);
      if (entry === undefined) throw new Error(`${name} belongs to no service`);
      status(`waiting for ${name}`);
      await waitHealthy(
        names.router,
        name,
        { address, port: entry.port, path: entry.health },
        { deadlineMs: entry.healthDeadline, stillThere: () => isRunning(name) },
      );
    }),
  );
}

/** Containers that were running before this run have read older flags. */
async function tellThoseThatStayed(run: EffectRun): Promise<void> {
  const { desired, settings, names, notes, world } = run.context;
  const before = new Map(
    world.containers.filter(({ running }) => running).map((container) => [container.name, container]),
  );
  // What takes no traffic first: requests need not wait for its restart.
  const order = desired.containers.toSorted(
    (one, other) => Number(takesTraffic(run.context, one)) - Number(takesTraffic(run.context, other)),
  );
  for (const wanted of order) {
    const { name, service, release, address, started } = wanted;
    const container = before.get(name);
    const entry = settings.services.get(service);
    const written = notes.flags.get(flagsFile(service, release));
    if (!started || container === undefined || entry === undefined || written === undefined) continue;
    if (container.startedAt > written.at) continue;
    if (entry.reload === undefined && takesTraffic(run.context, wanted)) await emptyForRestart(run);
    const told = await tellOfFlags(names.router, {
      name,
      address,
      service: entry,
      secrets: settings.secrets,
      changed: written.changed,
    });
    if (written.changed) run.say(`${name} ${told}`);
  }
}

/** Whether requests go there now, or may: a run that did not finish has left the weights uncertain. */
function takesTraffic(
  { world: { journal } }: RunContext,
  { release }: { readonly release: string },
): boolean {
  return journal === undefined || journal.overtaken || journal.weights.has(release);
}

/** Requests wait at the door while a container restarts that would refuse them, and those in flight finish before. */
async function emptyForRestart({ context, say, status }: EffectRun): Promise<void> {
  if (context.notes.lease !== undefined || context.world.gateway.mode !== "open") return;
  await holdRequests(context);
  const left = await drain(context.names, context.settings.gateway.drain, status);
  say(
    left === 0
      ? "requests are held while containers restart to read their flags"
      : `requests are held while containers restart to read their flags; ${left} still in flight after the drain are cut off`,
  );
}
