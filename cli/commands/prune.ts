import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { Client } from "pg";
import { describeArchives } from "../../operations/migrations/archives/describe.ts";
import { pruneArchives } from "../../operations/migrations/archives/prune.ts";
import { asOperator } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { requireSome, wholeDays } from "../values.ts";

/** What is removed, and whether. */
export interface PruneGiven {
  readonly olderThan?: number | undefined;
  readonly dryRun: boolean;
  readonly json?: boolean;
}

type PruneOptions = StackOptions & PruneGiven;

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
      await asOperator(settings, database, (client) => printPruned(client, ids, { olderThan, dryRun }));
    });
}

/** Removes archives from the database that `client` is connected to, and prints which. */
export async function printPruned(
  client: Client,
  ids: readonly string[],
  { olderThan, dryRun, json = false }: PruneGiven,
): Promise<void> {
  const filter = {
    ...(ids.length === 0 ? {} : { ids }),
    ...(olderThan === undefined ? {} : { before: new Date(Date.now() - olderThan * dayMs) }),
  };
  const removed = await pruneArchives(client, filter, { run: randomUUID(), dryRun });
  const text = (): string =>
    `${dryRun ? "would remove" : "removed"} ${removed.length}:\n${describeArchives(removed)}`;
  console.log(json ? JSON.stringify(removed, undefined, 2) : text());
}
