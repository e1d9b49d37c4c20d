/** What a refusal tells the person who typed the command. */
export interface RefusalDetails {
  /** Stable identifier, UPPER_SNAKE, e.g. `SCHEMA_NO_REVERSAL`; documented in docs/refusals.md. */
  readonly code: string;
  /** What was found, in one sentence, naming the object and its value (never a secret). */
  readonly found: string;
  /** What was left as it was, e.g. "Nothing was stopped; 1.2.1 is still serving." */
  readonly untouched?: string;
  /** What to do next; a command to type or the configuration line to change. */
  readonly next?: string;
  readonly cause?: unknown;
}

/**
 * The one error class for everything a user can mend. Anything else that is thrown is a defect of this program.
 * Its message is the whole text to show: code and finding, what was left untouched, the next step.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: string;
  readonly details: RefusalDetails;

  constructor(details: RefusalDetails) {
    super(refusalText(details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.details = details;
  }
}

function refusalText({ code, found, untouched, next }: RefusalDetails): string {
  const lines = [`refused ${code}: ${found}`];
  if (untouched !== undefined) lines.push(`  ${untouched}`);
  if (next !== undefined) lines.push(...next.split("\n").map((line) => `  ${line}`));
  return lines.join("\n");
}

/** The refusal with this code, if that is what `error` is; for callers that handle one code and pass on the rest. */
export function isRefusal(error: unknown, code?: string): error is Refusal {
  return error instanceof Refusal && (code === undefined || error.code === code);
}
