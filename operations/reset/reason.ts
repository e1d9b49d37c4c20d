import type { ResetPlan, ResetState } from "./types.ts";

/** In what the world differs from one without an unfinished reset, a line each. Pure. */
export function resetDrift(state: ResetState | undefined): string[] {
  if (state === undefined) return [];
  const { plan, left, closed } = state;
  return [
    ...(plan === undefined ? [] : [resetReason(plan)]),
    ...left.map((name) => `${name} was left by a reset that did not finish`),
    ...closed.map((name) => `${name} is closed to everybody`),
  ];
}

/** What a reset does to its database, in a few words. Pure. */
export function resetReason({ kind, database, successor }: ResetPlan): string {
  return kind === "anew" ? `${database} is made anew` : `${successor} becomes ${database} again`;
}
