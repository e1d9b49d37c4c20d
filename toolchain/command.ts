import { execa } from "execa";
import { createInterface } from "node:readline";
import type { Note } from "./log.ts";

/** How a command is run by the set-up. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until it is ended; default 30 minutes, which no step of the set-up should need. */
  readonly timeoutMs?: number;
  /** Told each line the command prints. */
  readonly note?: Note;
}

/** How a command ended. `code` is undefined when it could not be started or was ended by a signal. */
export interface Outcome {
  readonly ok: boolean;
  readonly code: number | undefined;
  /** Whether there is no such command. */
  readonly missing: boolean;
  readonly stdout: string;
  /** The last 40 lines of both outputs, for messages. */
  readonly tail: string;
}

/** Runs a command to its end; a failure is an answer, not an error. */
export async function attempt(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Outcome> {
  const child = execa(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    stdin: "ignore",
    all: true,
    reject: false,
    timeout: options.timeoutMs ?? 30 * 60_000,
  });
  const { note } = options;
  if (note !== undefined)
    createInterface({ input: child.all }).on("line", (line) => note(line.slice(0, 100)));
  const result = await child;
  return {
    ok: !result.failed,
    code: result.exitCode,
    missing: result.code === "ENOENT",
    stdout: result.stdout,
    tail: lastLines(result.timedOut ? `${result.all}\n(ended: it took too long)` : result.all, 40),
  };
}

/** A command that had to succeed did not; the message holds the end of its output. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

/** Runs a command that has to succeed and returns its stdout; throws `CommandFailure` otherwise. */
export async function must(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const outcome = await attempt(file, args, options);
  if (!outcome.ok) {
    const how = outcome.missing ? "is not installed" : `failed (exit ${String(outcome.code)})`;
    throw new CommandFailure(`\`${file} ${args.slice(0, 3).join(" ")}\` ${how}\n${outcome.tail}`);
  }
  return outcome.stdout;
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
