import { dumpForeign, prepareData, stopForeign } from "../operations/takeover/carry-out.ts";
import { describeTakeover } from "../operations/takeover/describe.ts";
import type { EffectDefinition } from "./effect.ts";

/** The first `up` of a stack takes the place of containers that somebody else started, and the volume with their data. */
export const takeover: EffectDefinition = {
  name: "takeover",
  preview: ({ context, say }) => {
    const { settings, world } = context;
    if (world.takeover === undefined) return;
    for (const line of describeTakeover(settings, world.takeover)) say(line);
  },
  carryOut: async (run) => {
    run.requires("preflight");
    const { settings, world, revision } = run.context;
    const { takeover: wanted, cluster } = settings;
    if (wanted === undefined || world.takeover === undefined || cluster.kind !== "own") return;
    const { running, server, prepare } = world.takeover;
    const dump =
      server === undefined ? undefined : await dumpForeign(settings, wanted, server, revision, run.status);
    if (dump !== undefined) run.say(`dump from ${wanted.server}: ${dump.summary}, ${dump.where}`);
    await stopForeign(running, run.say);
    if (prepare) await prepareData(settings, cluster, run.say);
    run.say(
      `${[...wanted.containers, wanted.server].join(", ")} are kept; docs/adopting.md tells the way back to them`,
    );
  },
};
