import { Command, CommanderError, InvalidArgumentError } from "commander";
import type { Bench } from "./report.ts";

/** What was asked for. */
export interface BenchArguments {
  readonly benches: readonly Bench[];
  readonly runs: number;
  /** GB of data where that decides the time. */
  readonly gigabytes: number;
  readonly json: boolean;
}

/** Reads the command line; undefined when it asked for help or was wrong, which has then been printed to stderr. */
export function benchArguments(argv: readonly string[], all: readonly Bench[]): BenchArguments | undefined {
  const command = new Command("npm run bench --")
    .description("Measures what the README claims. Without a name: everything.")
    .argument("[names...]", all.map(({ name, about }) => `${name}: ${about}`).join("\n"))
    .option("--json", "one JSON document on stdout instead of tables", false)
    .option("--runs <n>", "how often each case is measured", wholeNumber, 3)
    .option("--size <gb>", "recovery: GB of data; needs five times as much on the disk", wholeNumber, 1)
    .configureOutput({ writeOut: (text) => process.stderr.write(text) })
    .exitOverride();
  try {
    command.parse(argv, { from: "user" });
    const { json, runs, size } = command.opts<{ json: boolean; runs: number; size: number }>();
    const unknown = command.args.find((name) => !all.some((bench) => bench.name === name));
    if (unknown !== undefined) {
      command.error(
        `error: there is no bench ${unknown}; there is ${all.map(({ name }) => name).join(", ")}`,
      );
    }
    const chosen = all.filter(({ name }) => command.args.length === 0 || command.args.includes(name));
    return { benches: chosen, runs, json, gigabytes: size };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode;
    return undefined;
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("a whole number from 1 on");
  return value;
}
