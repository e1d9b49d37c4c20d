import type { Command } from "commander";
import type { Client } from "pg";
import { describeArchives } from "../../operations/migrations/archives/describe.ts";
import { listArchives } from "../../operations/migrations/archives/list.ts";
import { ensureLedger } from "../../operations/migrations/ledger/ensure.ts";
import { asOperator } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

interface ArchivesOptions extends StackOptions {
  readonly migration?: string;
  readonly json: boolean;
}

/** `rollback archives`: what reversals took out of a database, and what became of it. */
export function archives(program: Command): void {
  aboutStack(program.command("archives <database>"))
    .description("what reversals took out of a database and kept, and what was put back")
    .option("--migration <version>", "only what the reversal of this version took")
    .option("--json", "one JSON document on stdout", false)
    .action(async (database: string, { migration, json, ...stack }: ArchivesOptions) => {
      const { settings } = await readStack(stack);
      await asOperator(settings, database, (client) => printArchives(client, { migration, json }));
    });
}

/** Prints what reversals took out of the database that `client` is connected to. */
export async function printArchives(
  client: Client,
  { migration, json }: { readonly migration: string | undefined; readonly json: boolean },
): Promise<void> {
  await ensureLedger(client);
  const found = await listArchives(client, migration === undefined ? {} : { migration });
  console.log(json ? JSON.stringify(found, undefined, 2) : describeArchives(found));
}
