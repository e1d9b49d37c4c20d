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

/** A table longer than this many lines is left to the curious. */
const longest = 24;

/**
 * A listener that prints what a run says as it happens: the lines of the effects, and the containers that come and go.
 * Each with the seconds since the command was typed; a table once.
 */
export function narrate(started = performance.now()): (event: EngineEvent) => void {
  const tables = new Set<string>();
  return (event) => {
    const whole = lineFor(event);
    if (whole === undefined) return;
    const text = shortened(whole, tables);
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
    for (const [n, line] of text.split("\n").entries())
      console.log(`  ${n === 0 ? `${seconds} s` : "       "}  ${line}`);
  };
}

function shortened(text: string, tables: Set<string>): string {
  const [first = "", ...table] = text.split("\n");
  if (table.length === 0) return text;
  const key = table.join("\n");
  const known = tables.has(key);
  tables.add(key);
  if (known) return first;
  return table.length > longest ? `${first} (a table of ${table.length} lines, left out here)` : text;
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

/**
 * The lines of a `pulumi preview --diff` that say what changes: what the effects say, the resources by what becomes of
 * them, and changed properties. Left out are the properties of what is new or goes, and the revision, which is in every
 * effect. Pure.
 */
export function essenceOf(diff: string): string {
  const kept: string[] = [];
  let update = false;
  for (const line of diff.split("\n")) {
    const resource = /^ +(?:[+~-]|[+-]{2}) [\w-]+:\S+: \((\w+)\)$/.exec(line);
    if (resource !== null) update = resource[1] === "update";
    const name = /^ +\[urn=.*::(.+)\]$/.exec(line)?.[1];
    const property = /^ +[+~-] /.test(line) && !/^ +~ (revision: "|input: \{)/.test(line);
    const said = !line.startsWith("  ") || / \d+ (to \w+|changes?\. \d+ unchanged)$/.test(line);
    if (name !== undefined && kept.length > 0) kept.push(`${kept.pop() ?? ""} ${name}`);
    else if (said || resource !== null || (update && property)) kept.push(line);
  }
  // An effect whose input changes by its revision alone says what it does in words.
  return kept.join("\n").replace(/\n{2,}/g, "\n");
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
