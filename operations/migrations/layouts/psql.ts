import { dirname, join, normalize } from "node:path/posix";
import { scanSync } from "../sql/parser.ts";
import { loadParser } from "../sql/parse.ts";
import { badFile } from "./files.ts";
import type { FolderView } from "./files.ts";

/** psql's variables by name. */
type Variables = Map<string, string>;

/** A file that includes itself would never end. */
const deepest = 32;

/**
 * A file as psql would send it to the server, for tools that run psql: `\i` and `\ir` are replaced by the files they name,
 * `\set` sets what `:name`, `:'name'` and `:"name"` stand for. `\i` means the migrations folder or, failing that, the folder
 * of the file. A text with any other command is left as it is; that is refused when it has to be run.
 * Throws `MIGRATION_FILE` for a file that is not there, `MIGRATION_FORMAT` for one that includes itself.
 */
export async function psqlText(
  folder: FolderView,
  file: string,
  variables: ReadonlyMap<string, string> = new Map(),
): Promise<string> {
  const text = await folder.text(file);
  if (!text.includes("\\") && variables.size === 0) return text;
  await loadParser();
  return (await expand(folder, file, text, new Map(variables), 0)) ?? text;
}

async function expand(
  folder: FolderView,
  file: string,
  text: string,
  variables: Variables,
  depth: number,
): Promise<string | undefined> {
  if (depth > deepest) throw badFile(folder.path, file, "includes itself", "Take the \\i out.");
  const done: string[] = [];
  let rest = text;
  for (;;) {
    const found = nextCommand(rest);
    if (found === undefined) return undefined;
    done.push(substitute(rest.slice(0, found.from), variables));
    if (found.from === rest.length) return done.join("");
    const [name = "", ...words] = found.words;
    if (name === "set") set(variables, words);
    else if (
      (name === "i" || name === "include" || name === "ir" || name === "include_relative") &&
      words[0] !== undefined
    ) {
      const relative = name === "ir" || name === "include_relative";
      const other = included(folder, file, value(words[0], variables), relative);
      const inner = await expand(folder, other, await folder.text(other), variables, depth + 1);
      if (inner === undefined) return undefined;
      done.push(inner);
    } else return undefined;
    rest = rest.slice(found.to);
  }
}

/** The first backslash command outside of strings and comments; at the end of the text when there is none. */
function nextCommand(text: string): { from: number; to: number; words: string[] } | undefined {
  const from = text.includes("\\") ? firstBackslash(text) : text.length;
  if (from === undefined) return undefined;
  const to = endOfLine(text, from);
  return { from, to, words: wordsOf(text.slice(from + 1, to)) };
}

function firstBackslash(text: string): number | undefined {
  try {
    const token = scanSync(text).tokens.find((each) => each.text === "\\");
    return token === undefined ? text.length : Buffer.from(text).toString("utf8", 0, token.start).length;
  } catch {
    // What follows a command on its line is no SQL, so a lone quote there breaks the scan: commands at the start of a line.
    const starts = [...text.matchAll(/^[ \t]*\\/gm)].map((match) => match.index + match[0].length - 1);
    return starts.find((at) => !isInside(text.slice(0, at)));
  }
}

/** Whether a text ends within a string, a quoted name or a comment: PostgreSQL's own scanner then cannot finish it. */
function isInside(text: string): boolean {
  try {
    // A line comment swallows what is put behind it; everything else that is open is an error.
    const probe = `${text};`;
    return scanSync(probe).tokens.at(-1)?.text !== ";";
  } catch {
    return true;
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

/** Words of a command's line; quotes keep what is in them together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'(?:[^'\\]|''|\\.)*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word);
}

function set(variables: Variables, [name, ...values]: readonly string[]): void {
  if (name !== undefined) variables.set(name, values.map((word) => value(word, variables)).join(""));
}

/** What a word of a command means: quotes go, variables are filled in. */
function value(word: string, variables: Variables): string {
  return word.replaceAll(
    /'((?:[^'\\]|''|\\.)*)'|:([A-Za-z_]\w*)/g,
    (all: string, quoted: string | undefined, name: string | undefined) =>
      quoted === undefined
        ? (variables.get(name ?? "") ?? all)
        : quoted
            .replaceAll("''", "'")
            .replaceAll(/\\(.)/g, (_, code: string) => ({ n: "\n", t: "\t" })[code] ?? code),
  );
}

/** Fills variables in where psql does: not in strings, not in comments, and only those that are set. */
function substitute(text: string, variables: Variables): string {
  if (variables.size === 0 || !text.includes(":")) return text;
  const bytes = Buffer.from(text);
  const { tokens } = scanSync(text);
  const parts: string[] = [];
  let at = 0;
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    if (token.text !== ":" || next === undefined || next.start !== token.end || token.start < at) continue;
    const filled = filledIn(next.text, variables);
    if (filled === undefined) continue;
    parts.push(bytes.toString("utf8", at, token.start), filled);
    at = next.end;
  }
  return parts.join("") + bytes.toString("utf8", at);
}

function filledIn(text: string, variables: Variables): string | undefined {
  const quote = /^['"]/.exec(text)?.[0];
  const found = variables.get(quote === undefined ? text : text.slice(1, -1));
  if (found === undefined || quote === undefined) return found;
  return quote + found.replaceAll(quote, quote + quote) + quote;
}

function included(folder: FolderView, file: string, name: string, relative: boolean): string {
  const beside = normalize(join(dirname(file), name));
  const inFolder = normalize(name);
  return relative || (!folder.files.includes(inFolder) && folder.files.includes(beside)) ? beside : inFolder;
}
