import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { basename } from "node:path";
import { Refusal } from "../../settings/refusal.ts";
import { withClient } from "../../operations/database/connection.ts";
import { describePlan } from "../../operations/migrations/describe.ts";
import { adoptOutside, changeOutside, planOutside } from "../../operations/migrations/outside.ts";
import type { ChangeOptions } from "../../operations/migrations/outside.ts";
import type { Way } from "../../operations/migrations/plan.ts";
import { stateOf } from "../../operations/migrations/standing.ts";
import type { Target } from "../../operations/migrations/target.ts";
import { common, print, settle, told } from "../outside.ts";
import type { Common } from "../outside.ts";
import { kept } from "./kept.ts";
import { planJson, resultJson, resultText, stateText } from "../migrations-report.ts";

interface Aim {
  readonly to?: string;
  readonly steps?: number;
  readonly toRelease?: string;
}

interface Adopt extends Change {
  readonly at?: string;
  readonly despiteDifferences: boolean;
}

interface Change extends Common, Aim {
  readonly release: string;
  readonly dryRun: boolean;
  readonly lockTimeout: number;
  readonly budget: number;
  readonly statementTimeout: number;
  readonly allowDrift: boolean;
  readonly allowDifference: boolean;
  readonly archiveBudget: number;
  readonly acceptOpaque: boolean;
}

/** `rollback migrations …`: the engine of the schema for a database that belongs to no stack. */
export function migrations(program: Command): void {
  const group = program
    .command("migrations")
    .description(
      "PostgreSQL migrations of any project, without a stack: where it stands, up, and safely down",
    );
  common(group.command("status"))
    .description("which migrations are applied and pending, what can be taken back, what was changed by hand")
    .action((options: Common) =>
      told(options, async () => {
        const { place, outside } = settle(options);
        const state = await withClient(place.server, place.database, (client) =>
          stateOf(client, outside.database),
        );
        print(options, state, () => stateText(state));
      }),
    );
  aim(common(group.command("plan")), "back when negative")
    .description("what going there would do: statements' locks, data destroyed, notes. Changes nothing")
    .action((options: Common & Aim) =>
      told(options, async () => {
        const plan = await planOutside(settle(options).outside, targetOf(options, "up"));
        print(options, planJson(plan), () => describePlan(plan));
      }),
    );
  changing(group.command("up"), "apply pending migrations", "up");
  changing(
    group.command("down"),
    "take migrations back, all in one transaction, keeping what they destroy",
    "down",
  );
  timing(common(group.command("adopt")))
    .description(
      "take applied migrations over into the ledger: checksums and reversals; runs none of their SQL",
    )
    .option("--at <version>", "where no tool has recorded it: the version; default: found out by comparing")
    .option("--despite-differences", "take that version although the schema differs", false)
    .action((options: Adopt) => told(options, () => adopt(options)));
  kept(group);
}

function aim(command: Command, sign?: string): Command {
  const [to, steps, release] = [
    new Option(
      "--to <version>",
      "the version to be at afterwards; 0 (or none): before the first; latest: the newest",
    ),
    new Option("--steps <n>", `how many migrations${sign === undefined ? "" : `, ${sign}`}`).argParser(
      sign === undefined ? positive : whole,
    ),
    new Option("--to-release <name>", "the newest version that was applied for this release"),
  ];
  return command
    .addOption(to.conflicts(["steps", "toRelease"]))
    .addOption(steps.conflicts(["to", "toRelease"]))
    .addOption(release.conflicts(["to", "steps"]));
}

function timing(command: Command): Command {
  return command
    .option("--lock-timeout <ms>", "how long a try waits for a lock, and others behind it", positive, 100)
    .option("--budget <s>", "how long tries go on altogether", positive, 30)
    .option("--statement-timeout <ms>", "longest time of one statement; 0: none", whole, 0)
    .option("--release <name>", "what the ledger records the migrations for", "by hand")
    .option("--allow-drift", "go on although the schema was changed by hand", false)
    .option("--allow-difference", "go on although a reversal does not restore the schema", false)
    .option("--archive-budget <s>", "longest time for keeping what a reversal destroys", whole, 60)
    .option("--accept-opaque", "take back also what only a DO block or a call knows", false)
    .option("--dry-run", "show the plan and change nothing", false);
}

function changing(command: Command, description: string, way: Way): void {
  timing(aim(common(command)))
    .description(description)
    .action((options: Change) => told(options, () => change(options, targetOf(options, way), way)));
}

async function adopt(options: Adopt): Promise<void> {
  if (options.dryRun) return change(options, { steps: 0 }, "up");
  const how = { at: options.at, despite: options.despiteDifferences };
  const result = await adoptOutside(settle(options).outside, how, changeOptions(options));
  print(options, resultJson(result.plan, result.done), () => resultText(result.plan, result.done));
}

async function change(options: Change, target: Target, way: Way): Promise<void> {
  const { outside } = settle(options);
  if (options.dryRun) {
    const plan = await planOutside(outside, target, way);
    print(options, planJson(plan), () => describePlan(plan));
    return;
  }
  const abort = new AbortController();
  const stop = (): void => abort.abort(stopped());
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    const result = await changeOutside(outside, target, way, {
      ...changeOptions(options),
      signal: abort.signal,
    });
    print(options, resultJson(result.plan, result.done), () => resultText(result.plan, result.done));
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function changeOptions(options: Change): ChangeOptions {
  return {
    release: options.release,
    lockTimeoutMs: options.lockTimeout,
    budgetMs: options.budget * 1000,
    statementTimeoutMs: options.statementTimeout,
    onDrift: options.allowDrift ? "note" : "refuse",
    onDifference: options.allowDifference ? "warn" : "refuse",
    limits: {
      archiveMs: options.archiveBudget * 1000,
      opaque: options.acceptOpaque ? "accept" : "refuse",
      allow: { archive: "--archive-budget SECONDS", opaque: "--accept-opaque" },
    },
    warn: (line) => console.error(line),
    say: (line) => console.error(line),
  };
}

function targetOf({ to, steps, toRelease }: Aim, way: Way): Target {
  if (to === "latest") return { newest: true };
  if (to !== undefined) return { version: to };
  if (steps !== undefined) return { steps: way === "up" ? steps : -steps };
  if (toRelease !== undefined) return { release: toRelease };
  throw new Refusal({
    code: "SCHEMA_TARGET",
    found: "it is not said how far to go.",
    untouched: "Nothing was done.",
    next: "Say one of --to VERSION (or latest), --steps N, --to-release NAME.",
  });
}

function stopped(): Refusal {
  return new Refusal({
    code: "SCHEMA_STOPPED",
    found: "this run was told to stop.",
    untouched: "The transaction was rolled back; the database is as it was before this run.",
    next: `Run ${basename(process.argv[1] ?? "rollback")} migrations status to see where it stands.`,
  });
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || text.trim() === "") throw new InvalidArgumentError("a whole number");
  return value;
}

function positive(text: string): number {
  const value = whole(text);
  if (value < 1) throw new InvalidArgumentError("a whole number from 1 on");
  return value;
}
