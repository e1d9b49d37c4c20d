import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { Client } from "pg";
import { describePutBack } from "../../operations/migrations/archives/describe.ts";
import { restoreArchives } from "../../operations/migrations/archives/restore.ts";
import { asOperator } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { requireSome } from "../values.ts";

/** What is put back, and how. */
export interface RestoreGiven {
  readonly migration?: string | undefined;
  readonly overwrite: boolean;
  readonly dryRun: boolean;
  readonly json?: boolean;
}

type RestoreOptions = StackOptions & RestoreGiven;

/** `rollback restore`: puts archived rows and columns back into their tables. */
export function restore(program: Command): void {
  aboutStack(program.command("restore <database> [archives...]"))
    .description("put archived rows and columns back; what was written since stays")
    .option("--migration <version>", "everything that reversals of this version took")
    .option("--overwrite", "also over what was written since", false)
    .option("--dry-run", "tell what would happen, change nothing", false)
    .action(async (database: string, ids: string[], given: RestoreOptions) => {
      const { migration, overwrite, dryRun, ...stack } = given;
      requireSome(program, ids, migration, "archives by number, or --migration VERSION");
      const { settings } = await readStack(stack);
      await asOperator(settings, database, (client) =>
        printRestored(client, ids, { migration, overwrite, dryRun }),
      );
    });
}

/** Puts archives back into the database that `client` is connected to, and prints what became of each. */
export async function printRestored(
  client: Client,
  ids: readonly string[],
  { migration, overwrite, dryRun, json = false }: RestoreGiven,
): Promise<void> {
  const filter = {
    ...(ids.length === 0 ? {} : { ids }),
    ...(migration === undefined ? {} : { migration }),
  };
  const result = await restoreArchives(client, filter, { run: randomUUID(), overwrite, dryRun });
  if (json) console.log(JSON.stringify(result, undefined, 2));
  for (const archive of json ? [] : result)
    console.log(`${dryRun ? "would: " : ""}${archive.id} ${archive.source}: ${describePutBack(archive)}`);
  if (result.some(({ restored }) => restored !== undefined && "problem" in restored)) process.exitCode = 1;
}
