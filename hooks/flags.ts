import { writeFlags } from "../operations/flags/flags.ts";
import { flagsFile } from "../operations/plan/environment.ts";
import type { EffectDefinition } from "./effect.ts";

/** Every running release's flags as files that its containers see; they are told of a change by the containers effect. */
export const flags: EffectDefinition = {
  name: "flags",
  carryOut: async (run) => {
    run.requires("preflight");
    const { settings, desired, names, notes } = run.context;
    const files = desired.releases.flatMap((release) =>
      [...(settings.releases.get(release)?.services ?? [])].map(([service, entry]) => ({
        file: flagsFile(service, release),
        flags: entry.flags,
      })),
    );
    notes.flags = await writeFlags(names.router, files);
    const changed = [...notes.flags].filter(([, { changed: isNew }]) => isNew).map(([file]) => file);
    if (changed.length > 0) run.say(`flags written: ${changed.join(", ")}`);
  },
};
