import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { resetDatabase, type ResetResult } from "../../operations/reset/reset.ts";
import { Refusal } from "../../settings/refusal.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { databaseOption, tableOption } from "../values.ts";

interface ResetOptions extends StackOptions {
  /** False: `--no-dump`. */
  readonly dump: string | boolean;
  readonly salvage?: string;
  readonly table?: readonly string[];
  readonly data: boolean;
  readonly keepAs?: string;
  readonly back?: string;
  readonly confirm?: string;
  readonly json: boolean;
}

/** `rollback reset`: a database made anew from migrations, a dump and a salvage pack, when nothing else helps; the old one stays. */
export function reset(program: Command): void {
  aboutStack(program.command("reset <database>"))
    .description(
      "when nothing else helps: make a database anew from its migrations and a dump; the old one is kept",
    )
    .option("--dump <name>", "load rows from this dump; default: the newest")
    .option("--no-dump", "load no rows from a dump")
    .option("--salvage <name>", "write the rows of this salvage pack over them")
    .option(
      "--table <name>",
      "load only this table; several: again",
      (name: string, before?: readonly string[]) => [...(before ?? []), tableOption(name)],
    )
    .option("--no-data", "load no rows: only what the migrations make")
    .option("--keep-as <name>", "keep the old one under this name; default: with the time", databaseOption)
    .option(
      "--back <name>",
      "put a database back that a reset has kept, instead of a new one",
      databaseOption,
    )
    .option("--confirm <database>", "the database's name, instead of typing it")
    .option("--json", "one JSON document on stdout", false)
    .action(async (name: string, options: ResetOptions) => {
      const { dump, salvage, table, data, keepAs, back, confirm, json, ...stack } = options;
      const { settings } = await readStack(stack);
      const database = databaseNamed(settings, name);
      await confirmed(name, confirm);
      const loads = data && back === undefined;
      const result = await resetDatabase({
        ...{ settings, database, keepAs, back, tables: table },
        dump: loads ? dumpOf(dump) : undefined,
        salvage: loads ? salvage : undefined,
        say: (line) => console.error(line),
      });
      console.log(json ? JSON.stringify(result, undefined, 2) : text(name, result));
    });
}

function dumpOf(given: string | boolean | undefined): string | { readonly newest: true } | undefined {
  if (given === false) return undefined;
  return typeof given === "string" ? given : { newest: true };
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
        `Another database takes the place of ${name}; what was written since stays in the old one only.\nType its name to go on: `,
      )
    ).trim();
  } finally {
    prompt.close();
  }
}

function text(name: string, { kept, version, dump, salvage, rows }: ResetResult): string {
  const from = [
    ...(dump === undefined ? [] : [`of the dump ${dump}`]),
    ...(salvage === undefined ? [] : [`of the salvage pack ${salvage}`]),
  ];
  return [
    `${name} is at ${version}${from.length === 0 ? "" : `, with rows ${from.join(" and ")}`}; the one before is kept as ${kept}.`,
    ...Object.entries(rows).map(([table, count]) => `  ${table}: ${count} rows`),
  ].join("\n");
}
