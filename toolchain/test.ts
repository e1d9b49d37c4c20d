import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { isCode } from "./cache.ts";
import { say } from "./log.ts";
import { CHECKOUT } from "./machine.ts";
import { main, useToolchain } from "./setup.ts";

/**
 * `npm test`: the set-up, `npm run check`, then the unit and the integration tests, with one line of sums at the end.
 *
 *   npm test                          everything but the long forms
 *   npm test -- --long                the long forms (test/long) as well
 *   npm test -- test/unit/x.test.ts   these files only, without the check
 */

/** How one part of the suite ended. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const report = z.object({ passed: z.number(), failed: z.number() });

/** A part of the suite: one mocha process. */
export interface Part {
  readonly title: string;
  /** Files or glob patterns, relative to the checkout. */
  readonly files: readonly string[];
  /** Milliseconds for one test unless it says otherwise itself. */
  readonly timeoutMs: number;
}

/** The parts to run for the arguments of `npm test`. */
export function partsFor(args: readonly string[]): Part[] {
  const files = args.filter((arg) => !arg.startsWith("--"));
  if (files.length > 0) return [{ title: "the named files", files, timeoutMs: 120_000 }];
  const long: Part = { title: "long forms", files: ["test/long/**/*.test.ts"], timeoutMs: 30 * 60_000 };
  return [
    { title: "unit tests", files: ["test/unit/**/*.test.ts"], timeoutMs: 10_000 },
    { title: "integration tests", files: ["test/integration/**/*.test.ts"], timeoutMs: 120_000 },
    ...(args.includes("--long") ? [long] : []),
  ];
}

/** The last line of the run. */
export function sumLine(counts: readonly Counts[]): string {
  const sum = (key: keyof Counts): number => counts.reduce((total, count) => total + count[key], 0);
  return `${String(sum("passed"))} passed, ${String(sum("failed"))} failed`;
}

/** Runs one part and returns mocha's own counts; a mocha that ended without telling any counts as one failure. */
async function run(part: Part, folder: string): Promise<Counts> {
  const file = path.join(folder, `${part.title.replaceAll(" ", "-")}.json`);
  const args = [
    ["--reporter", path.join(CHECKOUT, "toolchain/reporter.ts"), "--reporter-option", `file=${file}`],
    ["--timeout", String(part.timeoutMs), "--forbid-only"],
    part.files,
  ].flat();
  say("test", part.title);
  const { exitCode } = await execa("mocha", args, {
    cwd: CHECKOUT,
    stdio: ["ignore", "inherit", "inherit"],
    reject: false,
  });
  const counts = await readCounts(file);
  if (counts === undefined || (counts.failed === 0 && exitCode !== 0)) {
    say("test", `mocha ended with ${String(exitCode)} before it was through: ${part.title}`);
    return { passed: counts?.passed ?? 0, failed: (counts?.failed ?? 0) + 1 };
  }
  return counts;
}

async function readCounts(file: string): Promise<Counts | undefined> {
  try {
    return report.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** `npm run check`; it counts as one test, so that the last line never hides it. */
async function check(): Promise<Counts> {
  say("test", "npm run check");
  const { exitCode } = await execa("npm", ["run", "--silent", "check"], {
    cwd: CHECKOUT,
    stdio: ["ignore", "inherit", "inherit"],
    reject: false,
  });
  if (exitCode !== 0) say("test", "npm run check failed");
  return exitCode === 0 ? { passed: 0, failed: 0 } : { passed: 0, failed: 1 };
}

if (import.meta.main) {
  await main(async () => {
    const args = process.argv.slice(2);
    const parts = partsFor(args);
    const counts: Counts[] = [];
    const folder = await mkdtemp(path.join(tmpdir(), "rollback-test-"));
    try {
      await useToolchain();
      if (args.every((arg) => arg.startsWith("--"))) counts.push(await check());
      for (const part of parts) counts.push(await run(part, folder));
    } catch (error) {
      counts.push({ passed: 0, failed: 1 });
      throw error;
    } finally {
      await rm(folder, { recursive: true });
      if (counts.some(({ failed }) => failed > 0)) process.exitCode = 1;
      // After everything that the parts, and an error on its way out, have printed.
      process.once("exit", () => console.log(sumLine(counts)));
    }
  });
}
