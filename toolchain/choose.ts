import { say } from "./log.ts";

/** One way to get something. */
export interface Way<T> {
  /** How it is got, as the log shows it: "on the PATH", "downloaded", "built from Go modules". */
  readonly name: string;
  /** The thing, or why this way does not lead to it. */
  readonly get: () => Promise<{ readonly got: T } | { readonly not: string }>;
}

/** What was chosen and by which way. */
export interface Choice<T> {
  readonly value: T;
  readonly way: string;
}

/**
 * Tries the ways in order and takes the first that leads to the thing. Says what was chosen, and when it was not the
 * first way, why the earlier ones were not. Undefined when none does; an error of a way ends the search.
 */
export async function choose<T>(
  subject: string,
  ways: readonly Way<T>[],
  describe: (value: T) => string,
): Promise<Choice<T> | undefined> {
  const reasons: string[] = [];
  for (const way of ways) {
    const result = await way.get();
    if ("got" in result) {
      const because = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
      say(subject, `${describe(result.got)}, ${way.name}${because}`);
      return { value: result.got, way: way.name };
    }
    if (result.not !== "") reasons.push(result.not);
  }
  return undefined;
}
