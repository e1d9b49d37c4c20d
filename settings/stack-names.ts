import { part, prefix, stackLabel, type StackIdentity } from "./names.ts";

/** The Docker names of one stack. */
export interface StackNames {
  readonly network: string;
  readonly postgres: string;
  readonly door: string;
  readonly router: string;
  /** Container of a cache, e.g. `<prefix>-redis`. */
  cache(name: string): string;
  /** Volume of the stack's own, e.g. `<prefix>-flags`. */
  volume(purpose: string): string;
}

export function stackNames(stack: StackIdentity): StackNames {
  const start = prefix(stack);
  return {
    network: start,
    postgres: part(start, "postgres"),
    door: part(start, "door"),
    router: part(start, "router"),
    cache: (name) => part(start, name),
    volume: (purpose) => part(start, purpose),
  };
}

/** Labels of a Docker object: whose it is, what it is for, and what else is to be known of it. */
export function stackLabels(
  stack: StackIdentity,
  kind: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const all = { stack: stackLabel(stack), part: kind, ...more };
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [`rollback.${key}`, value]));
}
