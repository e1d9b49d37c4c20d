import type { Bench } from "../report.ts";
import { bare, measureBare } from "./bare.ts";
import { bareDump, measureDumps, ourDump } from "./dump.ts";
import { measureOurs, measurePause, ours } from "./ours.ts";
import { makeWorld } from "./world.ts";

/**
 * A recovery by `pulumi up`, from the command to the last check, beside what a person would type who knows every name: the same
 * base backup, the same WAL, the same point, in turns. Then once under load, for the pause of the writers; and a dump.
 */
export const recovery: Bench = {
  name: "recovery",
  about: "a recovery by `pulumi up` beside a bare `pgbackrest restore` and replay; a dump beside pg_dump",
  async run(report) {
    const world = await makeWorld(report, report.gigabytes, report.runs + 1);
    const { stack, dataBytes, walBytes } = world;
    report.say(`${(dataBytes / 1e9).toFixed(2)} GB of data, ${(walBytes / 1e9).toFixed(2)} GB of WAL`);
    for (let run = 1; run <= report.runs; run += 1) await measureDumps(report, world);
    let from = stack.volumes.data;
    for (const [run, point] of world.points.entries()) {
      const volume = world.recovered[run] ?? "";
      if (run < report.runs) {
        await measureBare(report, world, point);
        await measureOurs(report, world, { from, volume, point });
      } else await measurePause(report, world, { from, volume, point });
      from = volume;
    }
    report.compare(ours, bare);
    report.compare(ourDump, bareDump);
  },
};
