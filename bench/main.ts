import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { say as sayTo } from "../toolchain/log.ts";
import { main, useToolchain } from "../toolchain/setup.ts";
import { benchArguments, type BenchArguments } from "./arguments.ts";
import { describeMachine } from "./machine.ts";
import { benches } from "./registry.ts";
import { collector, type Result } from "./report.ts";
import { machineLine, tables } from "./table.ts";
import { onInterrupt, teardown } from "./teardown.ts";

/**
 * `npm run bench [-- NAME…] [--json] [--runs N]`. Tables, or with --json one document, go to stdout, everything else to
 * stderr. With --json npm's own banner is in the way: `npm run --silent bench -- --json`.
 */
const asked = benchArguments(process.argv.slice(2), benches);
if (asked !== undefined) await main(() => measure(asked));

async function measure({ benches: chosen, runs, json, gigabytes }: BenchArguments): Promise<void> {
  const machine = await describeMachine(await useToolchain());
  const say = (line: string): void => sayTo("bench", line);
  const { defer, run: removeAll } = teardown(say);
  const interrupted = onInterrupt(removeAll, say);
  const temporary = tmpdir();
  const results: Result[] = [];
  try {
    for (const { name, run } of chosen) {
      const started = performance.now();
      // Whatever makes a temporary folder makes it in here, so that none is left wherever it is interrupted.
      const folder = await mkdtemp(path.join(temporary, "rollback-bench-"));
      defer(folder, () => rm(folder, { recursive: true, force: true }));
      process.env["TMPDIR"] = folder;
      const { results: collected, ...collect } = collector(name);
      await run({ ...collect, runs, gigabytes, defer, say: (line) => sayTo(name, line) });
      await removeAll();
      results.push(...collected());
      sayTo(name, `took ${Math.round((performance.now() - started) / 1000)} s`);
    }
  } finally {
    // After Ctrl-C what was under way fails; what is to be done then is done there, and ends the process.
    if (interrupted()) await new Promise(() => undefined);
    await removeAll();
  }
  if (json) process.stdout.write(`${JSON.stringify({ machine, results }, undefined, 2)}\n`);
  else process.stdout.write(`${tables(results)}\n\n${machineLine(machine, runs)}\n`);
}
