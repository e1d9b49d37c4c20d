import type { Step } from "./steps.ts";

/** Steps of one direction that are sent together; `look`: the catalogue is looked at after the last of them. */
export interface Batch {
  readonly steps: readonly Step[];
  readonly look: boolean;
}

/** Steps in one round trip, and characters of SQL: the server parses all of them before it begins. */
const mostSteps = 64;
const mostCharacters = 200_000;

/**
 * Of a longer chain forward only the last steps are looked at one by one: a look costs as much as many steps, a chain of
 * hundreds is a new database, and what is taken back is the end of it.
 */
const longChain = 50;
const lastOfLongChain = 20;

/**
 * Cuts a plan's steps into batches. Forward, the catalogue is looked at on both sides of each step (of the last ones of
 * a long chain), and of every step without a reversal, for which a draft will have to know what it changed.
 */
export function batches(steps: readonly Step[]): Batch[] {
  const result: Batch[] = [];
  let current: Step[] = [];
  let characters = 0;
  for (const [index, step] of steps.entries()) {
    current.push(step);
    characters += step.script.statements.reduce((sum, { sql }) => sum + sql.length, 0);
    const next = steps[index + 1];
    const turns = next !== undefined && next.direction !== step.direction;
    const look =
      step.direction === "forward" &&
      (next === undefined || turns || alone(steps, index) || alone(steps, index + 1));
    if (!look && !turns && next !== undefined && current.length < mostSteps && characters < mostCharacters)
      continue;
    result.push({ steps: current, look });
    current = [];
    characters = 0;
  }
  return result;
}

function alone(steps: readonly Step[], index: number): boolean {
  const each = steps.length <= longChain || index >= steps.length - lastOfLongChain;
  return each || steps[index]?.migration?.down === undefined;
}
