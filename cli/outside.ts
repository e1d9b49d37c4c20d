import type { Command } from "commander";
import { Option } from "commander";
import { resolve } from "node:path";
import { isRefusal, Refusal } from "../settings/refusal.ts";
import { layouts } from "../settings/types.ts";
import type { Database, Layout } from "../settings/types.ts";
import { placeOf } from "../operations/database/url.ts";
import type { Place } from "../operations/database/url.ts";
import type { Outside } from "../operations/migrations/outside.ts";
import { tableOption } from "./values.ts";

/** What every command about a database outside of a stack is told. */
export interface Common {
  readonly databaseUrlEnv: string;
  readonly folder: string;
  readonly layout?: Layout;
  readonly tracking?: string;
  readonly owner?: string;
  readonly json: boolean;
}

/** The options of `Common`. */
export function common(command: Command): Command {
  return command
    .requiredOption("--folder <path>", "the migrations")
    .option("--database-url-env <name>", "environment variable that holds the connection URL", "DATABASE_URL")
    .addOption(new Option("--layout <name>", "default: told by what is in the folder").choices(layouts))
    .option("--tracking <table>", "the tool's own table, where it is not the tool's default", tableOption)
    .option("--owner <role>", "role the SQL runs as; default: that of the tracking table, else the URL's")
    .option("--json", "one JSON document on stdout, also when refused", false);
}

/** Where the database is, and what its migrations are. */
export function settle(options: Common): { place: Place; outside: Outside } {
  const place = placeOf(process.env[options.databaseUrlEnv], options.databaseUrlEnv);
  const database: Database = {
    name: place.database,
    migrations: resolve(options.folder),
    layout: options.layout,
    tracking: options.tracking,
    keyTables: [],
    sessions: undefined,
    extensions: [],
    writers: [],
  };
  return { place, outside: { server: place.server, database, owner: options.owner } };
}

/** Runs a command; with --json a refusal is a document too. In both cases the words fit a command without a stack. */
export async function told(options: Common, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { details } = error;
    const words = { ...details, ...(details.next === undefined ? {} : { next: withoutStack(details.next) }) };
    if (options.json) {
      const { code, found, untouched, next } = words;
      console.log(JSON.stringify({ refused: { code, found, untouched, next } }, undefined, 2));
    }
    throw new Refusal(words);
  }
}

/** The same advice to somebody who has no stack: what `pulumi up` does there, this command does here. */
function withoutStack(text: string): string {
  return text
    .replaceAll("run `pulumi up` again", "run this command again")
    .replaceAll("Run `pulumi up` again", "Run this command again")
    .replaceAll("Run `pulumi up`:", "Run it again:")
    .replaceAll(/rollback draft \S+ (\S+)/g, "rollback migrations draft --folder FOLDER $1")
    .replaceAll("rollback archives DATABASE", "rollback migrations archives --folder FOLDER")
    .replaceAll(/rollback adopt \S+/g, "rollback migrations adopt --folder FOLDER")
    .replaceAll(/(Set|in) rollback:databases → \S+ → layout( to|:)?/g, "$1 --layout");
}

/** Prints a result in the form that was asked for. */
export function print(options: Common, json: unknown, text: () => string): void {
  console.log(options.json ? JSON.stringify(json, undefined, 2) : text());
}
