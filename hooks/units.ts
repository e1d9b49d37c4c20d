import {
  checkRelease,
  restartUnit,
  startUnit,
  stopOthers,
  switchCurrent,
  writeEnvironment,
  writeUnitFlags,
} from "../operations/native/control.ts";
import { environment, flagsFile } from "../operations/plan/environment.ts";
import { stopCommands } from "../operations/native/unit.ts";
import type { DesiredContainer } from "../operations/plan/desired.ts";
import type { Native } from "../settings/types.ts";
import type { RunContext } from "./context.ts";

/** A unit that shall exist when the run is over. */
type Unit = DesiredContainer & { readonly unit: Native };

/** Units of live and standby releases. */
export function unitsOf({ desired }: RunContext): Unit[] {
  return desired.containers.flatMap((wanted) =>
    wanted.unit === undefined ? [] : [{ ...wanted, unit: wanted.unit }],
  );
}

/** Every release that may have to be started is on its host, and systemd knows its unit. */
export async function checkUnits(context: RunContext): Promise<void> {
  await Promise.all(unitsOf(context).map(({ unit, release }) => checkRelease(unit, release)));
}

/** Flags files on the hosts; as `writeFlags` returns them. */
export async function writeFlagsOfUnits(
  context: RunContext,
): Promise<Map<string, { readonly changed: boolean; readonly at: number }>> {
  const written = await Promise.all(
    unitsOf(context).map(async ({ unit, service, release }) => {
      const flags =
        context.settings.releases.get(release)?.services.get(service)?.flags ?? new Map<string, string>();
      const changed = await writeUnitFlags(unit, release, flags);
      // By the host's own mark, not by its clock: whatever runs there has not read them.
      return [flagsFile(service, release), { changed, at: changed ? Infinity : 0 }] as const;
    }),
  );
  return new Map(written);
}

/**
 * Starts the units whose release fits the schema, each with its environment in place. One that runs with an older environment is
 * restarted, after `empty` has let its requests finish.
 */
export async function startUnits(
  context: RunContext,
  empty: (unit: DesiredContainer) => Promise<void>,
): Promise<void> {
  const { settings, world, desired } = context;
  const running = new Set(world.containers.filter((each) => each.running).map(({ name }) => name));
  for (const wanted of unitsOf(context)) {
    const { unit, name, service, release, port, started } = wanted;
    const entry = settings.services.get(service);
    if (!started || entry === undefined) continue;
    const variables = environment(settings, entry, release, desired.subnet);
    const changed = await writeEnvironment(unit, release, port, variables);
    if (changed && running.has(name)) {
      await empty(wanted);
      await restartUnit(unit, release);
    } else await startUnit(unit, release);
  }
}

/** `current` of each native service leads to the release with most of the traffic. */
export async function switchUnits({ settings }: RunContext): Promise<void> {
  const [heaviest] = settings.live;
  if (heaviest === undefined) return;
  const natives = [...settings.services.values()].flatMap(({ native }) => native ?? []);
  await Promise.all(natives.map((native) => switchCurrent(native, heaviest.release)));
}

/** What the engine does for containers: units of releases that left are stopped when the new state is proven, and standbys that do not fit. */
export async function stopUnits({ settings, desired }: RunContext): Promise<string[]> {
  const stays = desired.containers.filter(({ started }) => started);
  const stopped: string[] = [];
  for (const { name: service, native } of settings.services.values()) {
    if (native === undefined) continue;
    const names = stays.filter((each) => each.service === service).map(({ name }) => name);
    stopped.push(...(await stopOthers(native, names)));
  }
  return stopped;
}

/** What the stack's outputs say of its units, and a destroy shows: the engine runs no hook then. Null, which is not shown, without any. */
export function leftByDestroy(context: RunContext): string | null {
  const commands = stopCommands(unitsOf(context).filter(({ started }) => started));
  // The SDK warns of an output that is undefined.
  if (commands.length === 0) return null;
  return `units keep running after \`pulumi destroy\`; what stops them: ${commands.join("; ")}`;
}
