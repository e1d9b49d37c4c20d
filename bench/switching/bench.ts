import type { Bench } from "../report.ts";
import { makeWorld } from "../rollback/world.ts";
import { byHand, measureReload, measureRestart } from "./by-hand.ts";
import { buildFeed } from "./feed.ts";
import { deployOurs, measureOurs, ours } from "./ours.ts";

/**
 * A switch of traffic in each of its forms, under keep-alive GET and POST, uploads, event streams and websockets at once,
 * beside a restart as in the runbook and a plain reload of nginx. Times are from the start of what switches: the traffic
 * effect, or the command typed.
 */
export const switching: Bench = {
  name: "switching",
  about:
    "deploy, canary, rollback with and without schema under GET, POST, upload, event streams and websockets",
  async run(report) {
    await buildFeed();
    const stack = await deployOurs(report);
    const world = await makeWorld(report);
    for (let run = 1; run <= report.runs; run += 1) {
      report.say(`run ${run} of ${report.runs}`);
      await measureOurs(report, stack);
      await measureReload(report, world);
      await measureRestart(report, world);
    }
    report.compare(ours.code, byHand.reload);
  },
};
