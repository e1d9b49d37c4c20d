import type { Command } from "commander";
import { draftReversal, writeDraft } from "../../operations/migrations/drafting/draft.ts";
import type { Draft, DraftRequest } from "../../operations/migrations/drafting/draft.ts";
import { access } from "../../operations/plan/access.ts";
import { ownerRole } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

/** What is done with a draft. */
export interface DraftGiven {
  readonly print: boolean;
  readonly unproven: boolean;
  readonly json?: boolean;
}

type DraftOptions = StackOptions & DraftGiven;

/** `rollback draft`: writes the reversal of a migration that has none, proven on a scratch database. */
export function draft(program: Command): void {
  aboutStack(program.command("draft <database> <version>"))
    .description("write the reversal of a migration that has none, proven on a scratch database")
    .option("--print", "print it, write nothing", false)
    .option("--unproven", "write it although it does not lead back to the schema before", false)
    .action(async (name: string, version: string, { print, unproven, ...stack }: DraftOptions) => {
      const { settings } = await readStack(stack);
      const database = databaseNamed(settings, name);
      const owner = ownerRole(database.name);
      await printDraft({ server: access(settings), database, owner, version }, { print, unproven });
    });
}

/** Drafts a reversal and writes it, or only prints it. */
export async function printDraft(
  request: Omit<DraftRequest, "say">,
  { print, unproven, json = false }: DraftGiven,
): Promise<void> {
  const { database } = request;
  const made = await draftReversal({ ...request, say: (line) => console.error(line) });
  if (print && !json) console.log(made.text);
  if (!made.proven && !unproven) throw notProven(database.name, made);
  if (json) {
    const { file, text, proven, warnings, impossible } = made;
    const written = print ? null : await writeDraft(database, made);
    console.log(JSON.stringify({ file, written, proven, warnings, impossible, text }, undefined, 2));
  } else if (!print) console.log(`wrote ${await writeDraft(database, made)}:\n\n${made.text}`);
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
