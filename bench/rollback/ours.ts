import { seedMealPlanner } from "../../examples/meal-planner/seed.ts";
import type { StackOptions } from "../../examples/meal-planner/stack.ts";
import { withClient } from "../../operations/database/connection.ts";
import { linesOf } from "../../test/support/stack-events.ts";
import { createStack, type ScratchStack } from "../../test/support/stack.ts";
import type { Report } from "../report.ts";
import { tryUnderLoad } from "./measure.ts";
import { heldMs, laidOut, stepTimes, type Timed } from "./steps.ts";

/** A release that has just been deployed, and the configuration before it. */
interface Scene {
  readonly name: string;
  readonly release: "1.2.1-rc1" | "1.2.1";
  /** Configurations to go through before it is measured; the last one is what is taken back. */
  readonly deployed: readonly StackOptions[];
  readonly previous: StackOptions;
}

/** Names of the cases. */
export const ours = {
  code: "code only, standby running",
  schemaStandby: "with schema 023, standby running",
  schema: "with schema 023, no standby",
} as const;

const live = (release: string, standby?: "1.2.1" | "1.2.1-rc1"): StackOptions => ({
  live: { [release]: 100 },
  ...(standby !== undefined && { standby: [standby] }),
});

// Each begins where the one before has ended, at 1.2.1-rc1 on schema 22 or at 1.2.1 on 23.
const scenes: readonly Scene[] = [
  {
    name: ours.schemaStandby,
    release: "1.2.1-rc1",
    deployed: [live("1.2.1", "1.2.1-rc1")],
    previous: live("1.2.1-rc1"),
  },
  { name: ours.schema, release: "1.2.1-rc1", deployed: [live("1.2.1")], previous: live("1.2.1-rc1") },
  {
    name: ours.code,
    release: "1.2.1",
    deployed: [live("1.2.1"), live("1.2.3", "1.2.1")],
    previous: live("1.2.1"),
  },
];

/** Deploys a stack with a year of data to measure on. */
export async function deployOurs(report: Report): Promise<ScratchStack> {
  const stack = await createStack({ project: "rbt-bench" });
  report.defer(`the stack ${stack.label}`, () => stack.cleanup());
  report.say(`deploying ${stack.label} …`);
  await stack.configure(live("1.2.1-rc1"));
  await stack.up();
  await withClient(stack.server, "meal_planner", (client) => seedMealPlanner(client));
  return stack;
}

/** Rolls back by putting the previous configuration back and `pulumi up`, once for each scene. */
export async function measureOurs(report: Report, stack: ScratchStack): Promise<void> {
  for (const { name, release, deployed, previous } of scenes) {
    for (const options of deployed) {
      await stack.configure(options);
      await stack.up();
    }
    const events: Timed[] = [];
    let started = 0;
    await tryUnderLoad(report, {
      name,
      url: stack.url,
      release,
      query: (sql, values) => stack.query("meal_planner", sql, values),
      async act() {
        await stack.configure(previous);
        started = performance.now();
        await stack.up({ onEvent: (event) => events.push({ at: performance.now(), event }) });
      },
    });
    const said = events.map(({ event }) => event);
    const steps = `${name}: steps`;
    report.sample(steps, "requests held", "ms", heldMs(linesOf(said, "traffic")));
    for (const { step, ms } of laidOut(stepTimes(started, events))) report.sample(steps, step, "ms", ms);
  }
}
