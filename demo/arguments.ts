import { Command, CommanderError } from "commander";

/** What the demo was asked to do. */
export interface DemoArguments {
  /** Leave the stack running at the end. */
  readonly keep: boolean;
  /** Folder of a stack that was kept and is to be removed; undefined: run the demo. */
  readonly remove: string | undefined;
  /** Size of the seed data in relation to a year of a household service. */
  readonly size: number;
}

/** Reads the command line; undefined when it asked for help or was wrong, which has then been printed. */
export function demoArguments(argv: readonly string[]): DemoArguments | undefined {
  const command = new Command("npm run demo --")
    .description(
      "Deploys the Meal Planner 1.2.0, then 1.2.1 with its migrations, and rolls back, all under load.",
    )
    .option("--keep", "leave the stack running and say how to look around", false)
    .option("--remove <folder>", "remove a stack that was kept")
    .option("--size <factor>", "size of the data in relation to the usual 200,000 entries", "1")
    .exitOverride();
  try {
    command.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode;
    return undefined;
  }
  const { keep, remove, size } = command.opts<{ keep: boolean; remove?: string; size: string }>();
  return { keep, remove, size: Number(size) };
}
