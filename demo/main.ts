import { main, useToolchain } from "../toolchain/setup.ts";
import type { Load } from "../test/support/load.ts";
import { createStack, type ScratchStack } from "../test/support/stack.ts";
import { demoArguments, type DemoArguments } from "./arguments.ts";
import { keep, remove } from "./look-around.ts";
import { heading } from "./show.ts";
import { tell } from "./story.ts";
import { timeline } from "./timeline.ts";

const started = performance.now();
const asked = demoArguments(process.argv.slice(2));
if (asked !== undefined) await main(() => run(asked));

async function run({ keep: keeping, remove: folder, size }: DemoArguments): Promise<void> {
  await useToolchain();
  if (folder !== undefined) return remove(folder);
  const stack = await createStack({
    project: "meal-planner",
    stack: "demo",
    git: true,
    ports: { planner: 8000, mealie: 9000, postgres: 5432 },
  });
  let load: Load | undefined;
  const end = async (): Promise<void> => {
    await load?.stop();
    await stack.cleanup();
  };
  const interrupted = onInterrupt(end);
  let keepIt = false;
  try {
    const findings = await tell(stack, size, (running) => (load = running));
    heading("What happened", "");
    console.log(timeline(findings));
    console.log(`\nThe demo took ${((performance.now() - started) / 1000).toFixed(0)} s.`);
    keepIt = keeping;
    if (failed(findings)) process.exitCode = 1;
    if (keepIt) console.log(`\n${await keep(stack)}`);
  } finally {
    // After Ctrl-C everything that was under way fails; what is to be done then is done there.
    if (interrupted()) await new Promise(() => undefined);
    if (!keepIt) await tidyUp(stack, end);
  }
}

function failed({ records, rows }: Awaited<ReturnType<typeof tell>>): boolean {
  const bad = records.filter(({ status }) => status === undefined || status < 200 || status >= 300).length;
  const ok = bad === 0 && rows.lost.length === 0 && rows.duplicated.length === 0;
  if (!ok) console.log(`\nNot as promised: ${bad} requests failed, ${rows.lost.length} rows were lost.`);
  return !ok;
}

async function tidyUp(stack: ScratchStack, end: () => Promise<void>): Promise<void> {
  await end();
  console.log(`Everything of ${stack.label} was removed. Keep it the next time:  npm run demo -- --keep`);
}

/** Cleans up and ends this process on the first Ctrl-C. Returns whether that has happened. */
function onInterrupt(end: () => Promise<void>): () => boolean {
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopped) return;
      stopped = true;
      console.log("\nStopped; removing what was made …");
      void end()
        .catch((error: unknown) => console.error(error))
        .finally(() => process.exit(130));
    });
  }
  return () => stopped;
}
