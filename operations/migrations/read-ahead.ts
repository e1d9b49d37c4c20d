import { setImmediate as nextTurn } from "node:timers/promises";
import type { MigrationsFolder } from "./layouts/index.ts";
import { loadParser } from "./sql/parse.ts";
import { understand } from "./sql/script.ts";

/**
 * Understands what a reversal to `wanted` would run, as far as the files tell, while nobody waits for it: the plan, which goes by
 * what is stored, then finds the same texts in memory. Refuses nothing: what is wrong with a text is told by the plan that
 * needs it. Ends early when `signal` is aborted.
 */
export async function readAhead(
  folder: Promise<MigrationsFolder>,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (wanted === undefined) return;
  try {
    const { files, reader } = await folder;
    await loadParser();
    const to = files.findIndex(({ version }) => version === reader.normalise(wanted));
    for (const file of files.slice(to + 1).toReversed()) {
      // In between the server's answers are dealt with.
      await nextTurn(undefined, { signal });
      if (file.down !== undefined) understand(file.down, file.version);
    }
  } catch {
    // The plan comes to the same and says so, if it matters.
  }
}
