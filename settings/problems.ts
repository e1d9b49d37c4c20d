/** Mistakes in the configuration: collected, not thrown one by one, and each worded as key, value found, what is allowed. */
import { closest, distance } from "fastest-levenshtein";

/** Where a mistake sits: keys and list indexes below the namespace `rollback:`. */
export type KeyPath = readonly (string | number)[];

export interface Problem {
  readonly path: KeyPath;
  /** What is wrong there, after the key: `found "8000x"; allowed: a port, 1 to 65535`. */
  readonly text: string;
}

/** One line for the user: `rollback:services.meal-planner.public.port: found …; allowed: …`. */
export function problemLine({ path, text }: Problem): string {
  return `rollback:${keyText(path)}: ${text}`;
}

/** A key path as `pulumi config set --path` takes it: `releases["1.2.0"].schema.meal_planner`, `services.app.smoke[0]`. */
export function keyText(path: KeyPath): string {
  return path.map(segment).join("").replace(/^\./, "");
}

function segment(key: string | number): string {
  if (typeof key === "number") return `[${key}]`;
  return /^[A-Za-z0-9_-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** `found 60; allowed: a duration …`, or `missing; expected …`; the value is left out where it may be a secret. */
export function wrongValue(path: KeyPath, value: unknown, allowed: string): Problem {
  if (value === undefined) return { path, text: `missing; expected ${allowed}` };
  return {
    path,
    text: `${mayBeSecret(path) ? "found a value that is not shown here" : `found ${shown(value)}`}; allowed: ${allowed}`,
  };
}

/** A name that nothing answers to, with the nearest one that something does. */
export function unknownName(path: KeyPath, name: string, what: string, known: Iterable<string>): Problem {
  return { path, text: `${JSON.stringify(name)} is not ${what}; ${suggestion(name, [...known])}` };
}

/** `did you mean "health"? known are …`. */
export function suggestion(name: string, known: readonly string[]): string {
  if (known.length === 0) return "none is configured";
  const nearest = closest(name, known);
  // More than a third of the letters wrong is no typing mistake any more.
  const near = distance(name, nearest) <= Math.max(2, Math.floor(name.length / 3));
  return `${near ? `did you mean ${JSON.stringify(nearest)}? ` : ""}known: ${known.join(", ")}`;
}

/** Longest part of a value that is repeated to the user, in characters. */
const longest = 60;

function shown(value: unknown): string {
  if (value === null) return "nothing (a key without a value)";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  // Never its contents: a secret may sit deeper inside.
  if (typeof value === "object") return "a mapping";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") return `a ${typeof value}`;
  // An address with a password in it, wherever it stands.
  if (/:[^/\s@]*@(?!sha256:)/.test(value)) return "a text that may hold a password and is not shown here";
  const text = JSON.stringify(value.length > longest ? `${value.slice(0, longest)}…` : value);
  return value === "" ? "an empty text" : text;
}

/** Places where people put passwords, rightly or by mistake; what stands there is never repeated in a message. */
function mayBeSecret([room, ...rest]: KeyPath): boolean {
  if (room === "secrets") return true;
  if (room === "services") return rest.includes("env") || rest.includes("headers");
  return room === "cluster" && rest.includes("password");
}
