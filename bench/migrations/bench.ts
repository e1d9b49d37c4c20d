import { isRefusal } from "../../settings/refusal.ts";
import type { Bench, Report } from "../report.ts";
import { chain } from "./chain.ts";
import { goTools } from "./go-tools.ts";
import { measureLockQueue } from "./lock-queue.ts";
import { makeWorld, recordForOthers, startServer, tablesLeft } from "./server.ts";
import type { World } from "./server.ts";
import { command, dbmate, golangMigrate, nodePgMigrate, ours, psql } from "./tools.ts";
import type { Reverse } from "./tools.ts";

/** dbmate takes minutes for more: a process for each step. */
const longestForDbmate = 100;

/**
 * Taking a whole chain back, beside `psql -1` with the same statements and beside other tools; and what an innocent query
 * waits for when a long reader is in the way. Every measurement has a fresh copy of the database.
 */
export const migrations: Bench = {
  name: "migrations",
  about:
    "reversing 100 and 1000 migrations beside psql -1 and other tools; an innocent query behind a long reader",
  async run(report) {
    const tools = await toolsThere(report);
    const postgres = await startServer(report);
    for (const length of [100, 1000]) {
      const world = await makeWorld(report, postgres, chain(length));
      for (let run = 1; run <= report.runs; run += 1) {
        report.say(`${String(length)} migrations, run ${String(run)} of ${String(report.runs)}`);
        await measureReversals(report, world, tools);
      }
    }
    const short = await makeWorld(report, postgres, chain(1));
    for (let run = 1; run <= report.runs; run += 1) {
      report.say(`a reader of 6 s, run ${String(run)} of ${String(report.runs)}`);
      await measureLockQueue(report, short);
    }
  },
};

async function measureReversals(report: Report, world: World, tools: readonly Tool[]): Promise<void> {
  const length = world.links.length;
  const named = (name: string): string => `${String(length)} migrations: ${name}`;
  const inside = async (database: string): Promise<number> => {
    const { plan, milliseconds, rest, peak } = await ours(world, database, true);
    report.sample(named("rollback, the preflight's plan before"), "plan", "ms", plan);
    report.sample(named("memory of rollback"), "at rest", "bytes", rest);
    report.sample(named("memory of rollback"), "peak", "bytes", peak);
    return milliseconds;
  };
  const all: Tool[] = [
    { name: "psql -1", reverse: psql },
    { name: "rollback, in pulumi up", reverse: (_, database) => inside(database) },
    {
      name: "rollback, planned for the first time",
      reverse: async (_, database) => (await ours(world, database, false)).milliseconds,
    },
    { name: "rollback migrations down", reverse: command },
    ...tools.filter(({ longest = length }) => length <= longest),
  ];
  for (const { name, reverse } of all) {
    await world.copy(async (database) => {
      if (tools.some((tool) => tool.name === name)) await recordForOthers(world, database);
      report.sample(named(name), "reversal", "ms", await reverse(world, database));
      const left = await tablesLeft(world.postgres, database);
      if (left > 0) throw new Error(`${named(name)} has left ${String(left)} tables`);
    });
    if (name !== "psql -1") report.compare(named(name), named("psql -1"));
  }
}

interface Tool {
  readonly name: string;
  readonly reverse: Reverse;
  /** More migrations are not measured with it. */
  readonly longest?: number;
}

/** The other tools; those in Go only where they can be built. */
async function toolsThere(report: Report): Promise<Tool[]> {
  const npm: Tool = { name: "node-pg-migrate", reverse: nodePgMigrate };
  try {
    const { migrate, dbmate: binary } = await goTools();
    return [
      npm,
      { name: "golang-migrate", reverse: golangMigrate(migrate) },
      { name: "dbmate, a process per step", reverse: dbmate(binary), longest: longestForDbmate },
    ];
  } catch (error) {
    if (!isRefusal(error)) throw error;
    report.say(`without golang-migrate and dbmate: ${error.code}`);
    return [npm];
  }
}
