import type { Command } from "commander";
import { draftReversal, writeDraft } from "../../operations/migrations/drafting/draft.ts";
import type { Draft } from "../../operations/migrations/drafting/draft.ts";
import { access } from "../../operations/plan/access.ts";
import { ownerRole } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

interface DraftOptions extends StackOptions {
  readonly print: boolean;
  readonly unproven: boolean;
}

/** `rollback draft`: writes the reversal of a migration that has none, proven on a scratch database. */
export function draft(program: Command): void {
  aboutStack(program.command("draft <database> <version>"))
    .description("write the reversal of a migration that has none, proven on a scratch database")
    .option("--print", "print it, write nothing", false)
    .option("--unproven", "write it although it does not lead back to the schema before", false)
    .action(async (name: string, version: string, { print, unproven, ...stack }: DraftOptions) => {
      const { settings } = await readStack(stack);
      const database = databaseNamed(settings, name);
      const made = await draftReversal({
        server: access(settings),
        database,
        owner: ownerRole(database.name),
        version,
        say: (line) => console.error(line),
      });
      if (print) console.log(made.text);
      if (!made.proven && !unproven) throw notProven(name, made);
      if (!print) console.log(`wrote ${await writeDraft(database, made)}:\n\n${made.text}`);
    });
}

/** The refusal of a draft that does not lead back to the schema before. */
export function notProven(database: string, made: Draft): Refusal {
  const why = [
    ...(made.elsewhere === undefined ? [] : [made.elsewhere]),
    ...(made.failed === undefined ? [] : [made.failed]),
    ...made.differences,
    ...made.impossible,
  ];
  return new Refusal({
    code: "DRAFT_UNPROVEN",
    found: `the draft for ${database} ${made.migration.version} does not lead back to the schema before:\n${why.map((line) => `  ${line}`).join("\n")}`,
    untouched: "Nothing was written.",
    next: "See it with --print, or write it with --unproven and correct it by hand.",
  });
}
