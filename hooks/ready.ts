import { applySettings } from "../operations/database/settings-change.ts";
import { waitUntilReady } from "../operations/database/connection.ts";
import { access } from "../operations/plan/access.ts";
import { proveArchive, setUpArchive } from "./archive.ts";
import { assertStillOurs } from "./claim.ts";
import { reopenServing } from "./recovery.ts";
import type { EffectDefinition } from "./effect.ts";

/** Milliseconds; a server that replays its log after a crash needs a while. */
const startDeadline = 5 * 60_000;

/** The server answers and runs with the settings of the configuration. */
export const ready: EffectDefinition = {
  name: "ready",
  preview: ({ context, say }) => {
    const { server } = context.world;
    if (!server.answers) return;
    if (server.settingsToReload.length > 0) say(`changes by reload: ${server.settingsToReload.join(", ")}`);
    if (server.settingsToRestart.length > 0)
      say(`changes by restart: ${server.settingsToRestart.join(", ")}`);
  },
  carryOut: async (run) => {
    run.requires("preflight");
    const { settings, names } = run.context;
    const server = access(settings);
    await waitUntilReady(server, startDeadline, run.status);
    await assertStillOurs(run.context);
    const { cluster } = settings;
    if (cluster.kind !== "own") return;
    await setUpArchive(run);
    await reopenServing(run, cluster);
    await applySettings(server, names.postgres, cluster.settings, run.say);
    // Nobody waits for a base backup: behind a fence that comes after the verification.
    if (!run.context.change.hold) await proveArchive(run);
  },
};
