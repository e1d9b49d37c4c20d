import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { describePutBack } from "../../operations/migrations/archives/describe.ts";
import { restoreArchives } from "../../operations/migrations/archives/restore.ts";
import { asOperator } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { requireSome } from "../values.ts";

interface RestoreOptions extends StackOptions {
  readonly migration?: string;
  readonly overwrite: boolean;
  readonly dryRun: boolean;
}

/** `rollback restore`: puts archived rows and columns back into their tables, by primary key. */
export function restore(program: Command): void {
  aboutStack(program.command("restore <database> [archives...]"))
    .description("put archived rows and columns back by primary key; what was written since stays")
    .option("--migration <version>", "everything that reversals of this version took")
    .option("--overwrite", "also over what was written since", false)
    .option("--dry-run", "tell what would happen, change nothing", false)
    .action(async (database: string, ids: string[], given: RestoreOptions) => {
      const { migration, overwrite, dryRun, ...stack } = given;
      requireSome(program, ids, migration, "archives by number, or --migration VERSION");
      const { settings } = await readStack(stack);
      const filter = {
        ...(ids.length === 0 ? {} : { ids }),
        ...(migration === undefined ? {} : { migration }),
      };
      const result = await asOperator(settings, database, (client) =>
        restoreArchives(client, filter, { run: randomUUID(), overwrite, dryRun }),
      );
      for (const archive of result)
        console.log(`${dryRun ? "would: " : ""}${archive.id} ${archive.source}: ${describePutBack(archive)}`);
      if (result.some(({ restored }) => restored !== undefined && "problem" in restored))
        process.exitCode = 1;
    });
}
