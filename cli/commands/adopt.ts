import type { Command } from "commander";
import { adoptDatabase } from "../../operations/migrations/adopt.ts";
import { access, applicationName, operatorAccess } from "../../operations/plan/access.ts";
import { connectorTo } from "../../operations/plan/schema.ts";
import { operatorRole, ownerRole } from "../../settings/names.ts";
import { databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

interface AdoptCommandOptions extends StackOptions {
  readonly at?: string;
  readonly despiteDifferences: boolean;
}

/** `rollback adopt`: records migrations that were applied by hand, after proving which they are. */
export function adopt(program: Command): void {
  aboutStack(program.command("adopt <database>"))
    .description(
      "record which migrations of a database were applied by hand, found out on a scratch database",
    )
    .option("--at <version>", "the version it is at; default: the one whose catalogue it has")
    .option("--despite-differences", "record the version although the catalogue differs", false)
    .action(async (name: string, { at, despiteDifferences, ...stack }: AdoptCommandOptions) => {
      const { settings } = await readStack(stack);
      const database = databaseNamed(settings, name);
      const open = connectorTo(operatorAccess(settings), applicationName(settings));
      const adopted = await adoptDatabase(
        {
          database,
          owner: ownerRole(name),
          operator: operatorRole,
          admin: access(settings),
          open,
          onVersion: (version, differences) =>
            console.error(`${version}: ${differences === 0 ? "the same" : `${differences} differences`}`),
        },
        { at, despite: despiteDifferences, release: settings.live[0]?.release ?? "" },
      );
      for (const line of adopted.differences) console.log(`  ${line}`);
      console.log(`${name} is at ${adopted.version}: ${adopted.migrations} migrations recorded.`);
    });
}
