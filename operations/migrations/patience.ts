import { setTimeout as sleep } from "node:timers/promises";
import { isPassing } from "./failures.ts";

/** Tries that take no lock they would have to wait for, before the ones that wait for the lock timeout. */
const impatientTries = 3;

export interface Patience {
  /** Milliseconds for all tries together. */
  readonly budgetMs: number;
  readonly signal: AbortSignal | undefined;
  /** Undoes what a failed try has done. */
  readonly undo: () => Promise<void>;
  /** The error for when the budget is used up. */
  readonly givenUp: (tries: number, cause: unknown) => Promise<Error>;
}

/**
 * Repeats `work` with growing, jittered pauses as long as it fails for locks that were not granted. Returns the number of
 * tries. `nowait` asks it not to queue for any lock.
 */
export async function untilGranted(
  work: (nowait: boolean) => Promise<void>,
  { budgetMs, signal, undo, givenUp }: Patience,
): Promise<number> {
  const end = performance.now() + budgetMs;
  for (let tries = 1; ; tries++) {
    try {
      await work(tries <= impatientTries);
      return tries;
    } catch (error) {
      await undo();
      const pause = Math.min(25 * 1.5 ** tries, 500) * (0.5 + Math.random());
      if (!isPassing(error)) throw error;
      if (performance.now() + pause >= end) throw await givenUp(tries, error);
      await sleep(pause, undefined, { signal });
    }
  }
}
