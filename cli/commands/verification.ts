import type { Command } from "commander";
import { readVerifications, type VerificationRecord } from "../../operations/journal/verification.ts";
import { operatorAccess } from "../../operations/plan/access.ts";
import { checkTable } from "../../operations/verification/report.ts";
import { stackLabel } from "../../settings/names.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { wholeNumber } from "../values.ts";

interface VerificationOptions extends StackOptions {
  readonly last: number;
  readonly json: boolean;
}

/** `rollback verification`: what the last runs' verifications found, proven or not. Changes nothing. */
export function verification(program: Command): void {
  aboutStack(program.command("verification"))
    .description(
      "what the verification of the last `pulumi up` found: every check, its bake, and the verdict",
    )
    .option("--last <number>", "how many records to show, newest first", wholeNumber, 2)
    .option("--json", "one JSON document on stdout", false)
    .action(async ({ last, json, ...stack }: VerificationOptions) => {
      const { settings } = await readStack(stack);
      const [first] = settings.databases.keys();
      const found =
        first === undefined
          ? []
          : await readVerifications(operatorAccess(settings), first, stackLabel(settings), last);
      console.log(json ? JSON.stringify(found, undefined, 2) : verificationText(found));
    });
}

function verificationText(records: readonly VerificationRecord[]): string {
  if (records.length === 0) return "Nothing has been verified yet.";
  return records
    .map(({ at, proven, checks }) => `${at}: ${proven ? "proven" : "NOT proven"}\n${checkTable(checks)}`)
    .join("\n\n");
}
