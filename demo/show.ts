import { execa } from "execa";
import type { EngineEvent } from "../test/support/stack-events.ts";

/** Prints a heading for what comes next, and why. */
export function heading(title: string, why: string): void {
  console.log(`\n── ${title} ${"─".repeat(Math.max(0, 100 - title.length))}\n${why}`);
}

/** Prints a command as one would type it. */
export function typed(...words: readonly string[]): void {
  console.log(`\n  $ ${words.join(" ")}`);
}

/** Prints text indented, line by line. */
export function indented(text: string): void {
  for (const line of text.trimEnd().split("\n")) console.log(`    ${line}`);
}

/**
 * A listener that prints what a run says as it happens: the lines of the effects, and the containers that come and go.
 * Each with the seconds since the command was typed.
 */
export function narrate(started = performance.now()): (event: EngineEvent) => void {
  return (event) => {
    const text = lineFor(event);
    if (text === undefined) return;
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
    for (const [n, line] of text.split("\n").entries())
      console.log(`  ${n === 0 ? `${seconds} s` : "       "}  ${line}`);
  };
}

/** What is worth a line of the narration; pure. */
export function lineFor(event: EngineEvent): string | undefined {
  if (event.kind === "line") {
    if (event.passing || event.text === "") return undefined;
    const sign = event.severity === "info" ? "" : `${event.severity}: `;
    return `${(event.about ?? "").padEnd(13)} ${sign}${event.text}`;
  }
  if (event.kind === "step" && event.phase === "done" && event.type === "docker:index/container:Container") {
    const happened: Readonly<Record<string, string>> = {
      create: "started",
      delete: "removed",
      replace: "replaced",
      update: "changed",
    };
    const what = happened[event.op];
    return what === undefined ? undefined : `${"container".padEnd(13)} ${what} ${event.name}`;
  }
  return undefined;
}

/** Runs a command that a person could type, in that folder, and shows it with what it prints. */
export async function show(
  cwd: string,
  env: Readonly<Record<string, string>>,
  command: string,
  ...args: string[]
): Promise<void> {
  typed(command, ...args.map((arg) => (/[\s*]/.test(arg) ? `'${arg}'` : arg)));
  const { all } = await execa(command, args, { cwd, env: { ...env }, all: true });
  if (all.trim() !== "") indented(all);
}
