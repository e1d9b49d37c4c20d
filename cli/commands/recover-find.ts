import { InvalidArgumentError, Option, type Command } from "commander";
import { findDamage, type Suspect } from "../../operations/recovery/find/find.ts";
import { findKey } from "../../operations/recovery/find/key.ts";
import { findMigration } from "../../operations/recovery/find/migration.ts";
import { justBefore, type Proposal } from "../../operations/recovery/find/propose.ts";
import { scanSince, type Scan } from "../../operations/recovery/find/scan.ts";
import { removeLook } from "../../operations/recovery/look/place.ts";
import { withLook, type LookSession } from "../../operations/recovery/look/session.ts";
import { refuseRecovery } from "../../operations/recovery/refusals.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { keyOption, tableOption, wholeNumber } from "../values.ts";

interface FindOptions extends StackOptions {
  readonly table?: string;
  readonly key?: ReadonlyMap<string, string>;
  readonly below?: number;
  readonly migration?: string;
  readonly since?: Date;
  readonly quick: boolean;
  readonly json: boolean;
}

/** `rollback recover find`: the transaction that did the damage, and the moment just before it. */
export function find(group: Command): void {
  aboutStack(group.command("find <database>"))
    .description(
      "search the WAL for the transaction that did the damage, and propose the moment just before it",
    )
    .option(
      "--table <name>",
      "what was deleted from this table, truncated or dropped; default: from any",
      tableOption,
    )
    .addOption(
      new Option(
        "--key <column=value>",
        "with --table: what changed or deleted this row (several columns: again)",
      )
        .argParser(keyOption)
        .conflicts(["below", "migration"]),
    )
    .addOption(
      new Option("--below <rows>", "with --table: where its number of rows fell below this")
        .argParser(wholeNumber)
        .conflicts(["migration"]),
    )
    .option("--migration <version>", "where this migration was applied")
    .option(
      "--since <time>",
      "search from the newest base backup before this time; default: a day ago",
      timeOption,
    )
    .option(
      "--quick",
      "start no instance: names of dropped tables and rows before a truncation stay unknown",
      false,
    )
    .option("--json", "one JSON document on stdout", false)
    .action(async (name: string, options: FindOptions, command: Command) => {
      const { table, key, below } = options;
      if (table === undefined && (key !== undefined || below !== undefined))
        command.error("error: --key and --below need --table");
      const { settings } = await readStack(options);
      const database = databaseNamed(settings, name).name;
      const say = (line: string): void => console.error(line);
      const found = await withLook(settings, "find", say, async (session) => {
        try {
          const scan = await scanSince(
            session.archive,
            (options.since ?? new Date(Date.now() - 86_400_000)).getTime(),
          );
          const { suspects, held } = await search(session, scan, database, options);
          return { suspects, held, proposal: proposed(suspects, scan, session.from), scan };
        } finally {
          await removeLook(session.place);
        }
      });
      if (found.proposal === undefined) throw nothing(found.scan);
      const { suspects, held, proposal } = found;
      console.log(options.json ? asJson(suspects, proposal, held) : asText(suspects, proposal, held));
    });
}

async function search(
  session: LookSession,
  scan: Scan,
  database: string,
  { table, key, below, migration, quick }: FindOptions,
): Promise<{ readonly suspects: readonly Suspect[]; readonly held?: unknown }> {
  if (migration !== undefined)
    return { suspects: await findMigration(session.place.settings, scan, database, migration) };
  if (table === undefined || key === undefined)
    return { suspects: await findDamage(session, scan, { database, table, below, quick }) };
  const { suspects, held } = await findKey(session, scan, { database, table, key });
  return { suspects: [...suspects].reverse(), held };
}

function proposed([first]: readonly Suspect[], { contents }: Scan, from: string): Proposal | undefined {
  return first === undefined ? undefined : justBefore(first.ending, contents.endings, from);
}

function nothing({ backup }: Scan): Error {
  return refuseRecovery(
    "FIND_NOTHING",
    `nothing of the kind has happened since ${new Date(backup.stoppedAt).toISOString()}, where the search begins.`,
    "Search from an earlier base backup:  --since TIME",
  );
}

function asJson(suspects: readonly Suspect[], proposal: Proposal, held: unknown): string {
  const list = suspects.map(({ ending, table, what, before, after }) => ({
    ...{ xid: ending.xid, time: `${ending.time}+00`, table, what },
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }));
  return JSON.stringify(
    { found: list, ...(held === undefined ? {} : { held }), justBefore: proposal },
    undefined,
    2,
  );
}

function asText(suspects: readonly Suspect[], { lsn, kept, configuration }: Proposal, held: unknown): string {
  return [
    ...suspects.map(({ ending, table, what, before, after }) => {
      const counts = [
        ...(before === undefined ? [] : [`${before} rows before`]),
        ...(after === undefined ? [] : [`${after} after`]),
      ];
      return `${ending.time}+00  transaction ${ending.xid}  ${[table, what].filter(Boolean).join(": ")}${counts.length === 0 ? "" : ` (${counts.join(", ")})`}`;
    }),
    ...(held === undefined
      ? []
      : ["", `just before the first of these lines the row was:  ${JSON.stringify(held)}`]),
    "",
    kept === undefined
      ? "Just before the first of these lines, with no transaction since the base backup:"
      : `Just before the first of these lines (the last transaction kept is ${kept.xid} of ${kept.time}):`,
    "",
    configuration,
    "",
    `look first:  npx rollback recover look --at lsn=${lsn}`,
    ...(kept === undefined ? [] : [`the same place:  xid=${kept.xid}`]),
  ].join("\n");
}

function timeOption(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()) || !/(Z|[+-]\d\d(:?\d\d)?)$/.test(text))
    throw new InvalidArgumentError("a time with its distance to UTC, such as 2026-11-22T09:00:00Z");
  return time;
}
