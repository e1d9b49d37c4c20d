import { parse } from "yaml";
import { recoveryTarget } from "./rooms/recovery.ts";
import type { RecoveryTarget } from "./types.ts";

/**
 * A recovery's target as a person types it: `before=1.2.1`, or as it stands in the configuration, `{ before: "1.2.1" }`. What is
 * said of each of the five kinds is the same there. @returns the target, or what is wrong with the text.
 */
export function parseTarget(text: string): RecoveryTarget | { readonly mistake: string } {
  const [, kind, value] = /^([a-zA-Z]+)=(.*)$/s.exec(text.trim()) ?? [];
  const parsed = recoveryTarget.safeParse(
    kind === undefined || value === undefined ? mapping(text) : { [kind]: value },
  );
  if (parsed.success) return parsed.data;
  return { mistake: parsed.error.issues.map(({ message }) => message).join("; ") };
}

/** Everything stays text: `1.10` is not 1.1, and a time is not a moment of this machine's zone. */
function mapping(text: string): unknown {
  try {
    return parse(text, { schema: "failsafe" });
  } catch {
    return text;
  }
}
