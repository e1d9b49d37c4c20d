import path from "node:path";
import { execa } from "execa";
import type { ScratchStack } from "./stack.ts";

const command = path.join(import.meta.dirname, "../../cli/rollback.mjs");

/** `rollback monitor` with these arguments in the stack's folder. */
export function startMonitor(
  stack: ScratchStack,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  return execa(process.execPath, [command, "monitor", "--stack", stack.stack, ...args], {
    all: true,
    cwd: path.join(stack.folder, "project"),
    env: { ...stack.env, ...env },
    reject: false,
  });
}

/** One look. */
export async function monitorOnce(
  stack: ScratchStack,
): Promise<{ readonly exitCode: number | undefined; readonly all: string }> {
  const { exitCode, all } = await startMonitor(stack, ["--once"]);
  return { exitCode, all };
}
