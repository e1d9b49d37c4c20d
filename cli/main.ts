import { Command, CommanderError } from "commander";
import { Refusal } from "../settings/refusal.ts";
import { commands } from "./commands/index.ts";

/**
 * The `rollback` command: what Pulumi has no place for. Deploying and rolling back is `pulumi up`; none of these commands
 * changes what is live behind its back. Sets the exit code: 0 done, 1 refused or failed, 2 a wrong command line.
 */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = exitCode(error);
    // Commander has printed its own account of a wrong command line.
    if (!(error instanceof CommanderError)) console.error(error instanceof Refusal ? error.message : error);
  }
}

/** The command with everything it knows; made anew for each run, as commander keeps what it has parsed. */
export function program(): Command {
  const command = new Command("rollback")
    .description("What `pulumi up` has no place for: looking, drafting, watching, recovering.")
    .showHelpAfterError("(rollback --help tells what there is)")
    .exitOverride();
  for (const register of commands) register(command);
  inherit(command);
  return command;
}

/** Subcommands that were made with `.command()` have copied these already; those that were added have not. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child);
  }
}

function exitCode(error: unknown): number {
  if (!(error instanceof CommanderError)) return 1;
  return error.exitCode === 0 ? 0 : 2;
}
