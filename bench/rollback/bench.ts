import type { Bench } from "../report.ts";
import { byHand, measureFloors, measureRunbook } from "./by-hand.ts";
import { measureEngine } from "./engine.ts";
import { deployNaive, measureNaive, naive } from "./naive.ts";
import { deployOurs, measureOurs, ours } from "./ours.ts";
import { makeWorld } from "./world.ts";

/**
 * The way back under 16 keep-alive connections, 80 % GET and 20 % POST with 20 ms think time: ours, the naive stack, the
 * runbook that ours replaces, and the floor. All on the same machine, images, schema and data; times from the moment the
 * command is typed, Pulumi without its preview.
 */
export const rollback: Bench = {
  name: "rollback",
  about: "code and schema back under load, beside a naive stack and the runbook; the engine's fixed cost",
  async run(report) {
    const stack = await deployOurs(report);
    const world = await makeWorld(report);
    const naiveStack = await deployNaive(report, world);
    for (let run = 1; run <= report.runs; run += 1) {
      report.say(`run ${run} of ${report.runs}`);
      await measureOurs(report, stack);
      await measureNaive(report, world, naiveStack);
      await measureRunbook(report, world);
      await measureFloors(report, world);
    }
    await measureEngine(report, stack);
    report.compare(ours.code, naive);
    report.compare(ours.schema, byHand.full);
    report.compare(ours.schemaStandby, byHand.full);
  },
};
