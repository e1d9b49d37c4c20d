import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { resetDatabase, type ResetResult } from "../../operations/reset/reset.ts";
import { Refusal } from "../../settings/refusal.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { tableOption } from "../values.ts";

interface ResetOptions extends StackOptions {
  readonly dump?: string;
  readonly table?: readonly string[];
  readonly data: boolean;
  readonly confirm?: string;
  readonly json: boolean;
}

/** `rollback reset`: a database made anew from migrations and a dump, when nothing else helps; the old one stays. */
export function reset(program: Command): void {
  aboutStack(program.command("reset <database>"))
    .description(
      "when nothing else helps: make a database anew from its migrations and a dump; the old one is kept",
    )
    .option("--dump <name>", "load rows from this dump; default: the newest")
    .option(
      "--table <name>",
      "load only this table; several: again",
      (name: string, before?: readonly string[]) => [...(before ?? []), tableOption(name)],
    )
    .option("--no-data", "load no rows: only what the migrations make")
    .option("--confirm <database>", "the database's name, instead of typing it")
    .option("--json", "one JSON document on stdout", false)
    .action(async (name: string, { dump, table, data, confirm, json, ...stack }: ResetOptions) => {
      const { settings } = await readStack(stack);
      const database = databaseNamed(settings, name);
      await confirmed(name, confirm);
      const say = (line: string): void => console.error(line);
      const result = await resetDatabase({ settings, database, dump, tables: data ? table : [], say });
      console.log(json ? JSON.stringify(result, undefined, 2) : text(name, result));
    });
}

async function confirmed(name: string, given: string | undefined): Promise<void> {
  const typed = given ?? (process.stdin.isTTY ? await ask(name) : "");
  if (typed === name) return;
  throw new Refusal({
    code: "RESET_UNCONFIRMED",
    found: `a reset puts a new database in the place of ${name}, and that was not confirmed.`,
    untouched: "Nothing was done.",
    next: `Type the database's name when asked, or give it:  --confirm ${name}`,
  });
}

async function ask(name: string): Promise<string> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (
      await prompt.question(
        `A new database takes the place of ${name}; what was written since the dump stays in the old one only.\nType its name to go on: `,
      )
    ).trim();
  } finally {
    prompt.close();
  }
}

function text(name: string, { kept, version, dump, rows }: ResetResult): string {
  return [
    `${name} was made anew at ${version}${dump === undefined ? ", without rows from a dump" : `, with rows of ${dump}`}; the old one is ${kept}.`,
    ...Object.entries(rows).map(([table, count]) => `  ${table}: ${count} rows`),
  ].join("\n");
}
