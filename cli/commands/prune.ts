import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { describeArchives } from "../../operations/migrations/archives/describe.ts";
import { pruneArchives } from "../../operations/migrations/archives/prune.ts";
import { asOperator } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { requireSome, wholeDays } from "../values.ts";

interface PruneOptions extends StackOptions {
  readonly olderThan?: number;
  readonly dryRun: boolean;
}

const dayMs = 86_400_000;

/** `rollback prune`: removes archives for good; nothing else ever does. */
export function prune(program: Command): void {
  aboutStack(program.command("prune <database> [archives...]"))
    .description("remove archives for good; nothing else ever removes one")
    .option("--older-than <days>", "those made more than so many days ago", wholeDays)
    .option("--dry-run", "tell what would be removed, change nothing", false)
    .action(async (database: string, ids: string[], given: PruneOptions) => {
      const { olderThan, dryRun, ...stack } = given;
      requireSome(program, ids, olderThan, "archives by number, or --older-than DAYS");
      const { settings } = await readStack(stack);
      const filter = {
        ...(ids.length === 0 ? {} : { ids }),
        ...(olderThan === undefined ? {} : { before: new Date(Date.now() - olderThan * dayMs) }),
      };
      const removed = await asOperator(settings, database, (client) =>
        pruneArchives(client, filter, { run: randomUUID(), dryRun }),
      );
      console.log(`${dryRun ? "would remove" : "removed"} ${removed.length}:\n${describeArchives(removed)}`);
    });
}
