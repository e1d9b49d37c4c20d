import { tellOfFlags } from "../operations/flags/reload.ts";
import { openRoles } from "../operations/database/fence.ts";
import { access } from "../operations/plan/access.ts";
import { flagsFile } from "../operations/plan/environment.ts";
import { waitHealthy } from "../operations/traffic/probe.ts";
import { isRunning } from "../operations/docker/observe.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition } from "./effect.ts";

/** Every container that shall run is healthy and knows its flags, before it gets any traffic. */
export const containers: EffectDefinition = {
  name: "containers",
  preview: ({ context, say }) => {
    if (context.change.arriving.length > 0)
      say(`starts ${context.change.arriving.join(", ")} and waits until it is healthy`);
  },
  carryOut: async (run) => {
    run.requires("preflight", "schema", "flags");
    const { context } = run;
    const { desired, settings, names } = context;
    // A fence of this run may have closed roles that stay.
    const open = desired.roles.filter((role) => role.open).map(({ role }) => role);
    await openRoles(access(settings), open);
    await Promise.all(
      desired.containers.map(async ({ name, service, address }) => {
        const entry = settings.services.get(service);
        if (entry === undefined) throw new Error(`${name} belongs to no service`);
        run.status(`waiting for ${name}`);
        await waitHealthy(
          names.router,
          name,
          { address, port: entry.port, path: entry.health },
          { deadlineMs: entry.healthDeadline, stillThere: () => isRunning(name) },
        );
      }),
    );
    run.say(`${desired.containers.length} containers are healthy: ${desired.running.join(", ")}`);
    await tellThoseThatStayed(context, run.say);
  },
};

/** Containers that were running before this run have read older flags. */
async function tellThoseThatStayed(
  { desired, settings, names, notes, world }: RunContext,
  say: (line: string) => void,
): Promise<void> {
  const before = new Map(
    world.containers.filter(({ running }) => running).map((container) => [container.name, container]),
  );
  for (const { name, service, release, address } of desired.containers) {
    const container = before.get(name);
    const entry = settings.services.get(service);
    const written = notes.flags.get(flagsFile(service, release));
    if (
      container === undefined ||
      entry === undefined ||
      written === undefined ||
      container.startedAt > written.at
    )
      continue;
    const told = await tellOfFlags(names.router, {
      name,
      address,
      service: entry,
      secrets: settings.secrets,
      changed: written.changed,
    });
    if (written.changed) say(`${name} ${told}`);
  }
}
