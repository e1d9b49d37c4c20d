import { Refusal } from "../settings/refusal.ts";

const parent = process.ppid;

/**
 * Whether the engine that started this program is still there. The language host between them ends with the engine, and
 * a program whose parent is gone gets another one.
 */
export function engineIsAlive(): boolean {
  return process.ppid === parent;
}

/** Throws when the engine is gone: a program that outlived it must not act, another run may be under way. */
export function checkEngine(): void {
  if (engineIsAlive()) return;
  throw new Refusal({
    code: "ENGINE_GONE",
    found: "the Pulumi engine that started this program has ended.",
    untouched: "This program stops here.",
    next: "Run `pulumi cancel`, then `pulumi up`.",
  });
}
