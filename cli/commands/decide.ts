import { Option, type Command } from "commander";
import { decide as decideOn } from "../../operations/decide/decision.ts";
import { describeDecision } from "../../operations/decide/describe.ts";
import { measure } from "../../operations/decide/facts.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { wholeMinutes } from "../values.ts";

interface DecideOptions extends StackOptions {
  readonly corrupted?: "yes" | "no";
  readonly affected?: "yes" | "no";
  readonly window: number;
  readonly json: boolean;
}

/** `rollback decide`: the runbook's decision tree, with answers that it measures. Changes nothing. */
export function decide(program: Command): void {
  aboutStack(program.command("decide"))
    .description("which way back to take, from what is measured now: cost of each, and what to change")
    .addOption(
      new Option("--corrupted <answer>", "you have seen wrong values in the data").choices(["yes", "no"]),
    )
    .addOption(new Option("--affected <answer>", "users have reported trouble").choices(["yes", "no"]))
    .option("--window <minutes>", "how much of the router's log counts", wholeMinutes, 10)
    .option("--json", "one JSON document on stdout", false)
    .action(async ({ corrupted, affected, window, json, ...stack }: DecideOptions) => {
      const { settings } = await readStack(stack);
      const facts = await measure(settings, window, (line) => console.error(line));
      const told = { corrupted: answer(corrupted), affected: answer(affected) };
      const decision = decideOn(facts, told, settings.safety);
      const { attempts, ...rest } = facts;
      console.log(
        json
          ? JSON.stringify({ ...decision, facts: { ...rest, attempts: attempts.length } }, undefined, 2)
          : describeDecision(decision),
      );
    });
}

function answer(word: "yes" | "no" | undefined): boolean | undefined {
  return word === undefined ? undefined : word === "yes";
}
