import { randomUUID } from "node:crypto";
import type { FinishedRun } from "./world.ts";

export interface Revision {
  /** Shared by all effects of a run. */
  readonly revision: string;
  /** True: the last run finished with these inputs and the world still is as it left it, so no effect runs. */
  readonly steady: boolean;
  /** Why the effects run, a line each; for the preview. */
  readonly because: readonly string[];
}

/**
 * The recorded revision when nothing has to be done, else a fresh and unique one, so that every effect runs. Not a
 * counter: after a lost or recovered journal a counter can equal an old value, and a repeated schema step would then run
 * with yesterday's fence and dump.
 */
export function decideRevision(
  inputs: string,
  journal: FinishedRun | undefined,
  differences: readonly string[],
): Revision {
  const because = [
    ...(journal === undefined ? ["no finished run is on record"] : []),
    ...(journal !== undefined && journal.inputs !== inputs
      ? ["the configuration has changed since the last finished run"]
      : []),
    ...(journal?.overtaken === true ? ["the last run did not finish"] : []),
    ...differences,
  ];
  if (because.length === 0 && journal !== undefined)
    return { revision: journal.revision, steady: true, because };
  return { revision: randomUUID(), steady: false, because };
}
