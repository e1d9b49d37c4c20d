import { writeFlags } from "../operations/flags/flags.ts";
import { flagsFile } from "../operations/plan/environment.ts";
import type { EffectDefinition } from "./effect.ts";
import { writeFlagsOfUnits } from "./units.ts";

/** Every running release's flags as files that its containers see; they are told of a change by the containers effect. */
export const flags: EffectDefinition = {
  name: "flags",
  carryOut: async (run) => {
    run.requires("preflight");
    const { settings, desired, names, notes } = run.context;
    const files = desired.releases.flatMap((release) =>
      [...(settings.releases.get(release)?.services ?? [])]
        .filter(([service]) => settings.services.get(service)?.native === undefined)
        .map(([service, entry]) => ({ file: flagsFile(service, release), flags: entry.flags })),
    );
    const [inVolume, onHosts] = await Promise.all([
      writeFlags(names.router, files),
      writeFlagsOfUnits(run.context),
    ]);
    notes.flags = new Map([...inVolume, ...onHosts]);
    const changed = [...notes.flags].filter(([, { changed: isNew }]) => isNew).map(([file]) => file);
    if (changed.length > 0) run.say(`flags written: ${changed.join(", ")}`);
  },
};
