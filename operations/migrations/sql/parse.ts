import { hasSqlDetails, loadModule, parseSync, scanSync } from "./parser.ts";
import type { Node } from "libpg-query";
import { Refusal } from "../../../settings/refusal.ts";

export type { Node };

/** One statement of a script as PostgreSQL's own parser sees it. */
export interface Statement {
  /** Its text without the semicolon and without what stands before it. */
  readonly sql: string;
  /** Line in the script on which it begins, from 1. */
  readonly line: number;
  readonly node: Node;
}

/**
 * Loads the parser once; must have been awaited before `parseScript` is called. Its functions are compiled when they are first
 * used: by what most migrations have in them, so that nobody waits for it later.
 */
export async function loadParser(): Promise<void> {
  loaded ??= loadModule().then(() => void parseSync(usual));
  await loaded;
}

let loaded: Promise<void> | undefined;
const usual = `CREATE TABLE a (b int PRIMARY KEY, c text NOT NULL DEFAULT '' REFERENCES d (e)); CREATE INDEX f ON a (c);
  ALTER TABLE a ADD COLUMN g numeric(9, 2); ALTER TABLE a DROP COLUMN g; UPDATE a SET c = 'x' WHERE b = 1; DROP INDEX f; DROP TABLE a`;

/**
 * Splits a script into statements. `where` names it in refusals, e.g. `meal_planner 23 (up)`.
 * Throws Refusals `MIGRATION_SYNTAX`, `MIGRATION_PSQL_COMMAND`, `MIGRATION_COPY_STDIN`.
 */
export function parseScript(sql: string, where: string): Statement[] {
  // The parser refuses an empty text, but takes one of comments only.
  if (sql.trim() === "") return [];
  let statements;
  try {
    statements = parseSync(sql).stmts ?? [];
  } catch (error) {
    throw syntaxRefusal(sql, where, error);
  }
  // Positions are bytes, JavaScript's are UTF-16 units. Pure ASCII, the usual case, needs no copy.
  const bytes = Buffer.byteLength(sql) === sql.length ? undefined : Buffer.from(sql);
  const slice = (from: number, to: number) => bytes?.toString("utf8", from, to) ?? sql.slice(from, to);
  const end = bytes?.length ?? sql.length;
  let line = 1;
  let counted = 0;
  return statements.map((raw): Statement => {
    const from = raw.stmt_location ?? 0;
    const text = slice(from, raw.stmt_len === undefined || raw.stmt_len === 0 ? end : from + raw.stmt_len);
    const body = withoutLeadingComments(text);
    const start = from + Buffer.byteLength(text.slice(0, text.length - body.length));
    line += countLines(slice(counted, start));
    counted = start;
    if (raw.stmt === undefined) throw new Error(`${where}: the parser returned a statement without a tree`);
    return { sql: body.trimEnd(), line, node: raw.stmt };
  });
}

/** Name of a node's kind (e.g. `DropStmt`): nodes are objects with one key. */
export function kindOf(node: Node): string {
  return Object.keys(node)[0] ?? "";
}

/** Calls `visit` for every node below (and including) `node`, with its kind and fields. */
export function walk(
  node: unknown,
  visit: (kind: string, fields: Readonly<Record<string, unknown>>) => void,
): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit);
    return;
  }
  if (!isRecord(node)) return;
  for (const key in node) {
    const value = node[key];
    // Most are texts and numbers, and a chain has tens of thousands of them.
    if (typeof value !== "object" || value === null) continue;
    // Kinds are capitalised, fields are not; a bare field such as `relation` holds a RangeVar without its kind.
    if (isCapital(key) && isRecord(value)) visit(key, value);
    walk(value, visit);
  }
}

function isCapital(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 65 && first <= 90;
}

/** Whether any node below (and including) `node` passes the test. */
export function some(
  node: unknown,
  test: (kind: string, fields: Readonly<Record<string, unknown>>) => boolean,
): boolean {
  const found: boolean[] = [];
  walk(node, (kind, fields) => {
    if (found.length === 0 && test(kind, fields)) found.push(true);
  });
  return found.length > 0;
}

/** `sql` without its first token `keyword` (lower case, outside strings and comments); undefined when there is none. */
export function withoutKeyword(sql: string, keyword: string): string | undefined {
  const token = scanSync(sql).tokens.find((each) => each.text.toLowerCase() === keyword);
  if (token === undefined) return undefined;
  const bytes = Buffer.from(sql);
  return bytes.toString("utf8", 0, token.start) + bytes.toString("utf8", token.end).replace(/^\s/, "");
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Comments before a statement are the parser's white space; they are no part of it. */
function withoutLeadingComments(text: string): string {
  let rest = text.trimStart();
  for (;;) {
    if (rest.startsWith("--")) {
      const end = rest.indexOf("\n");
      rest = end === -1 ? "" : rest.slice(end + 1).trimStart();
    } else if (rest.startsWith("/*")) {
      rest = rest.slice(blockCommentEnd(rest)).trimStart();
    } else return rest;
  }
}

/** PostgreSQL's block comments nest. */
function blockCommentEnd(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const two = text.slice(at, at + 2);
    if (two === "/*") depth++;
    else if (two === "*/") depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

function syntaxRefusal(sql: string, where: string, error: unknown): Refusal {
  const message = error instanceof Error ? error.message : String(error);
  const at = hasSqlDetails(error) ? (error.sqlDetails?.cursorPosition ?? 0) : 0;
  const line = 1 + countLines(sql.slice(0, Math.max(at, 0)));
  const found = `${where}, line ${line}: `;
  const untouched = "Nothing was changed.";
  if (message.endsWith('at or near "\\"') || hasMetaCommand(sql)) {
    const copy = /\bcopy\b[^;]*\bfrom\s+stdin\b/i.test(sql);
    return copy
      ? new Refusal({
          code: "MIGRATION_COPY_STDIN",
          found: `${found}data for COPY … FROM stdin inside the file; only psql can feed it.`,
          untouched,
          next: "Write the rows as INSERT … VALUES.",
          cause: error,
        })
      : new Refusal({
          code: "MIGRATION_PSQL_COMMAND",
          found: `${found}a psql command (backslash) that the server does not know.`,
          untouched,
          next: "Write it as SQL; for \\i put the statements of the other file in.",
          cause: error,
        });
  }
  return new Refusal({
    code: "MIGRATION_SYNTAX",
    found: `${found}${message}.`,
    untouched,
    next: "Correct the file; PostgreSQL itself would refuse it.",
    cause: error,
  });
}

/** A backslash that is a token of its own: the scanner has already set strings and comments apart. */
function hasMetaCommand(sql: string): boolean {
  try {
    return scanSync(sql).tokens.some((token) => token.text === "\\");
  } catch {
    // The scanner could not get through either (an open string, say): then it is a syntax error and nothing else.
    return false;
  }
}
