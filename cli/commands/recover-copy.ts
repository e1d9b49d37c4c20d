import { Option, type Command } from "commander";
import { copyRows, recoveredName, type Copied } from "../../operations/recovery/copy.ts";
import { removeLook } from "../../operations/recovery/look/place.ts";
import { withLook } from "../../operations/recovery/look/session.ts";
import type { RecoveryTarget } from "../../settings/types.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { tableOption } from "../values.ts";
import { atHelp, target } from "./recover-look.ts";

interface CopyOptions extends StackOptions {
  readonly at: RecoveryTarget;
  readonly table: string;
  readonly where?: string;
  readonly into?: string;
  readonly merge: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** `rollback recover copy`: rows of one table as they were, into the database that serves. */
export function copy(group: Command): void {
  aboutStack(group.command("copy <database>"))
    .description("copy a table, or rows of it, as they were at a point in time into the database that serves")
    .requiredOption("--at <target>", atHelp, target)
    .requiredOption("--table <name>", "the table", tableOption)
    .option("--where <condition>", "only these rows, as in SQL")
    .option("--into <table>", "a new table; default: the table's name with _recovered", tableOption)
    .addOption(
      new Option("--merge", "put them back into their table by primary key, over what is there now")
        .default(false)
        .conflicts("into"),
    )
    .option("--dry-run", "tell what would happen, change nothing", false)
    .option("--json", "one JSON document on stdout", false)
    .action(async (name: string, { at, table, where, into, merge, dryRun, json, ...stack }: CopyOptions) => {
      const { settings } = await readStack(stack);
      const database = databaseNamed(settings, name).name;
      const say = (line: string): void => console.error(line);
      const copied = await withLook(settings, "copy", say, async ({ goTo, place }) => {
        try {
          const { container } = await goTo(at);
          return await copyRows({
            ...{ settings, container, database, table, where, dryRun },
            into: merge ? "merge" : { table: into ?? recoveredName(table) },
          });
        } finally {
          await removeLook(place);
        }
      });
      console.log(json ? JSON.stringify({ ...copied, dryRun }, undefined, 2) : text(copied, dryRun));
    });
}

function text({ into, read, inserted, updated, leftOut }: Copied, dryRun: boolean): string {
  return [
    `${dryRun ? "would: " : ""}${into}: ${read} rows read, ${inserted} inserted, ${updated} updated, ${read - inserted - updated} as they were`,
    ...(leftOut.length === 0 ? [] : [`left out, since the table has them no more: ${leftOut.join(", ")}`]),
  ].join("\n");
}
