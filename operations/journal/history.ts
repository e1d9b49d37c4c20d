import type { ClientBase } from "pg";
import { z } from "zod";
import { isAbsent } from "../database/errors.ts";
import { rowsOf } from "../database/query.ts";

/** A finished run as the journal tells of it. */
export interface PastRun {
  readonly run: string;
  readonly kind: string;
  /** Weights of the releases that it left live. */
  readonly live: ReadonlyMap<string, number>;
  /** ISO 8601, by the database server's clock. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly seconds: number;
}

const row = z.object({
  run: z.string(),
  kind: z.string(),
  to: z.object({ live: z.record(z.string(), z.number()) }),
  started: z.date(),
  finished: z.date(),
});

/** The finished runs of a stack (`project/stack`), newest first, also those from before a recovery; at most `limit`. */
export async function pastRuns(client: ClientBase, stack: string, limit = 50): Promise<PastRun[]> {
  try {
    const rows = await rowsOf(
      client,
      row,
      `select run, kind, went_to as "to", started, finished from rollback.journal
        where stack = $1 and finished is not null order by id desc limit $2`,
      [stack, limit],
    );
    return rows.map(({ run, kind, to, started, finished }) => ({
      run,
      kind,
      live: new Map(Object.entries(to.live)),
      startedAt: started.toISOString(),
      finishedAt: finished.toISOString(),
      seconds: (finished.getTime() - started.getTime()) / 1000,
    }));
  } catch (error) {
    // A stack that has not finished a run yet has no journal.
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** The heaviest release of a run; undefined when it left nothing live. */
export function heaviestOf({ live }: Pick<PastRun, "live">): string | undefined {
  return [...live].sort(([, one], [, other]) => other - one).at(0)?.[0];
}

/** What was live before the release that is live now; undefined: nothing else is on record. */
export function releaseBefore(runs: readonly PastRun[]): string | undefined {
  const [newest] = runs;
  const now = newest === undefined ? undefined : heaviestOf(newest);
  return runs.map(heaviestOf).find((release) => release !== undefined && release !== now);
}
