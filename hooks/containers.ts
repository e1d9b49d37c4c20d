import { openRoles } from "../operations/database/fence.ts";
import { isRunning } from "../operations/docker/observe.ts";
import { docker } from "../operations/docker/run.ts";
import { access } from "../operations/plan/access.ts";
import { waitHealthy } from "../operations/traffic/probe.ts";
import { unitRuns } from "../operations/native/control.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";
import { emptyForRestart, takesTraffic, tellThoseThatStayed } from "./tell-flags.ts";
import { startUnits } from "./units.ts";

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
    await startUnits(context, async (unit) => {
      if (takesTraffic(context, unit)) await emptyForRestart(run);
    });
    await startAll(run);
    run.say(`healthy: ${desired.running.join(", ")}`);
    await tellThoseThatStayed(run);
  },
};

async function startAll({ context, status }: EffectRun): Promise<void> {
  const { desired, settings, names, world } = context;
  const running = new Set(world.containers.filter((each) => each.running).map(({ name }) => name));
  const started = desired.containers.filter((each) => each.started);
  const stopped = started
    .filter(({ name, unit }) => unit === undefined && !running.has(name))
    .map(({ name }) => name);
  if (stopped.length > 0) await docker(["start", ...stopped]);
  await Promise.all(
    started.map(async (wanted) => {
      const { name, service, address, port, unit, release } = wanted;
      const entry = settings.services.get(service);
      if (entry === undefined) throw new Error(`${name} belongs to no service`);
      status(`waiting for ${name}`);
      await waitHealthy(
        names.router,
        name,
        { address, port, path: entry.health },
        {
          deadlineMs: entry.healthDeadline,
          stillThere: () => (unit === undefined ? isRunning(name) : unitRuns(unit, release)),
        },
      );
    }),
  );
}
