/** Building blocks of the rooms' schemas, and the one place where zod's findings become problems in the user's words. */
import { z } from "zod";
import { suggestion, wrongValue, type KeyPath, type Problem } from "./problems.ts";

/** A mapping with exactly these keys; an unknown one is refused with the nearest known. */
export function strict<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  allowed = `a mapping with ${Object.keys(shape).join(", ")}`,
) {
  const known = Object.keys(shape).join(" ");
  // The message of an unknown key carries the known ones; `problems` words it, once per key.
  return z.strictObject(shape, { error: ({ code }) => (code === "unrecognized_keys" ? known : allowed) });
}

/** A mapping from names to values of one kind. */
export function mapping<Value extends z.ZodType>(key: z.ZodString, value: Value, allowed: string) {
  return z.record(key, value, { error: allowed });
}

/** A list without repetitions (of texts). */
export function list<Value extends z.ZodType>(value: Value, allowed: string) {
  return z
    .array(value, { error: allowed })
    .refine(
      (items) => new Set(items).size === items.length || items.some((item) => typeof item === "object"),
      {
        error: `${allowed}, each once`,
      },
    );
}

/** A key that may be left out. `null` (a key with nothing behind it) is not the same and is refused. */
export function optional<Value extends z.ZodType>(value: Value) {
  return value.optional();
}

/** A mapping that may be written as one text: that of its key `key`. */
export function orText<Schema extends z.ZodType>(key: string, schema: Schema) {
  return z
    .preprocess((given) => (typeof given === "string" ? { [key]: given } : given), schema)
    .meta({ [shorthand]: true });
}

/** Marks in a schema what `orText` made, for the editors' schema: they see before anything is preprocessed. */
export const shorthand = "rollback:orText";

/** A text that matches; a number is refused with the hint to quote it, because YAML has already changed 1.10 into 1.1. */
export function text(allowed: string, pattern: RegExp) {
  return (
    z
      .string({
        error: ({ input }) =>
          typeof input === "number" || typeof input === "boolean" ? quoted(allowed, input) : allowed,
      })
      // Later checks would only repeat it.
      .regex(pattern, { error: allowed, abort: true })
  );
}

/** Any text, the empty one included. */
export function anyText(allowed: string) {
  return text(allowed, /^/);
}

function quoted(allowed: string, input: number | boolean): string {
  const why = typeof input === "number" ? " (without them YAML turns 1.10 into 1.1)" : "";
  return `${allowed}, in quotes: "${input}"${why}`;
}

/** One of these words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: words.join(" or ") });
}

/** A whole number in a range. */
export function whole(allowed: string, min: number, max: number) {
  return z.int({ error: allowed }).min(min, { error: allowed }).max(max, { error: allowed });
}

/** Adds a mistake that is not "this value there": `text` is the whole wording. */
export function mistake(context: z.core.$RefinementCtx, path: KeyPath, text: string): void {
  context.addIssue({ code: "custom", path: [...path], message: text, params: { wholeText: true } });
}

/** What came out of one room: the value, or the problems that stand in its way. */
export type Outcome<Value> = { readonly value: Value } | { readonly problems: readonly Problem[] };

/** Parses the raw value found at `path`. */
export function read<Schema extends z.ZodType>(
  schema: Schema,
  raw: unknown,
  path: KeyPath,
): Outcome<z.output<Schema>> {
  const result = schema.safeParse(raw);
  if (result.success) return { value: result.data };
  const { issues } = result.error;
  // zod goes on behind an unknown key; what it then misses is most likely that key, misspelt.
  const misspelt = new Set(
    issues.filter(({ code }) => code === "unrecognized_keys").map((issue) => issue.path.join("\0")),
  );
  const telling = issues.filter(({ code, path: at }) => code !== "custom" || !misspelt.has(at.join("\0")));
  return { problems: telling.flatMap((issue) => problems(issue, raw, path)) };
}

function problems(issue: z.core.$ZodIssue, raw: unknown, base: KeyPath): Problem[] {
  const local = issue.path.map((key) => (typeof key === "symbol" ? key.toString() : key));
  const path = [...base, ...local];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      text: `unknown key; ${suggestion(key, issue.message.split(" "))}`,
    }));
  }
  if (issue.code === "invalid_key") {
    return [{ path, text: `not a valid name; allowed: ${issue.issues[0]?.message ?? issue.message}` }];
  }
  if (issue.code === "custom" && issue.params?.["wholeText"] === true) return [{ path, text: issue.message }];
  return [wrongValue(path, valueAt(raw, local), issue.message)];
}

function valueAt(raw: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>((value, key) => {
    // A text on the way is the short form of `orText`, and stands for the key that was looked for.
    if (typeof value === "string") return value;
    return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  }, raw);
}
