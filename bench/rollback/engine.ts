import path from "node:path";
import { execa } from "execa";
import type { ScratchStack } from "../../test/support/stack.ts";
import { copyOf } from "../project.ts";
import type { Report } from "../report.ts";

/** Names of the cases. */
export const engine = {
  cli: "engine: pulumi version",
  plain: "engine: up, nothing changed, the same resources without hooks and observation",
  ours: "engine: up, nothing changed",
  plainPreviewed: "engine: preview and up, nothing changed, without hooks and observation",
  oursPreviewed: "engine: preview and up, nothing changed",
} as const;

const metric = "command";

/**
 * What the engine costs when there is nothing to do: our program and one that only registers the same resources, in
 * turn, so that what else the machine does hits both alike. One of each goes first and does not count.
 */
export async function measureEngine(report: Report, stack: ScratchStack): Promise<void> {
  report.say("up with nothing changed …");
  const plain = await copyOf(stack, path.join(import.meta.dirname, "../plain/index.ts"));
  report.defer("the copy of the stack", () => plain.remove());
  // Would anything change, it would change in the very stack that it is a copy of: asked before it is tried.
  await plain.pulumi(["preview", "--expect-no-changes"]);
  await plain.up();
  await stack.up({ args: ["--expect-no-changes"] });
  for (let run = 0; run < report.runs; run += 1) {
    const started = performance.now();
    await execa("pulumi", ["version"]);
    report.sample(engine.cli, metric, "ms", performance.now() - started);
    for (const preview of [false, true]) {
      const without = await plain.up({ preview, args: ["--expect-no-changes"] });
      const withAll = await stack.up({ preview, args: ["--expect-no-changes"] });
      report.sample(preview ? engine.plainPreviewed : engine.plain, metric, "ms", without.duration);
      report.sample(preview ? engine.oursPreviewed : engine.ours, metric, "ms", withAll.duration);
    }
  }
  report.compare(engine.ours, engine.plain);
  report.compare(engine.oursPreviewed, engine.plainPreviewed);
}
