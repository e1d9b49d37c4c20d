import assert from "node:assert/strict";
import { descendants, type Process } from "./processes.ts";
import type { Running } from "./stack-command.ts";

/** The Node program of a running `pulumi up`, and the language host between it and the engine. */
export async function programOf(
  running: Running,
): Promise<{ readonly program: Process; readonly host: Process }> {
  const family = await descendants(running.pid);
  const program = family.find(({ command }) => /node.*\/cmd\/run/.test(command));
  const host = family.find(({ command }) => command.includes("pulumi-language-nodejs"));
  assert.ok(program !== undefined && host !== undefined, family.map(({ command }) => command).join("\n"));
  return { program, host };
}
