/** What has to be removed at the end, last made first. */
export interface Teardown {
  readonly defer: (what: string, undo: () => Promise<void>) => void;
  /** Removes everything that is left; safe to call again, also while it runs. Throws at the end when something stayed. */
  readonly run: () => Promise<void>;
}

/** An empty list. `say` tells what could not be removed. */
export function teardown(say: (line: string) => void): Teardown {
  const left: { what: string; undo: () => Promise<void> }[] = [];
  let running: Promise<void> | undefined;
  const empty = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      try {
        await next.undo();
      } catch (error) {
        // One thing that stays must not keep the others.
        say(`could not remove ${next.what}: ${error instanceof Error ? error.message : String(error)}`);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "not everything was removed");
  };
  return {
    defer: (what, undo) => void left.push({ what, undo }),
    run: () => (running ??= empty().finally(() => (running = undefined))),
  };
}

/** Removes everything and ends this process on Ctrl-C. Returns whether that has begun. */
export function onInterrupt(removeAll: () => Promise<void>, say: (line: string) => void): () => boolean {
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopped) return;
      stopped = true;
      say("stopped; removing what was made …");
      void removeAll().then(
        () => process.exit(130),
        () => process.exit(1),
      );
    });
  }
  return () => stopped;
}
