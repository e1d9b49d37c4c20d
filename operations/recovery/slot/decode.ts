/**
 * Reads what test_decoding prints of one change. It comes with PostgreSQL, so that every image has it, needs no publication (which
 * would refuse updates of tables without a key) and prints every column with its type.
 * https://git.postgresql.org/gitweb/?p=postgresql.git;a=blob;f=contrib/test_decoding/test_decoding.c;hb=REL_17_STABLE
 */

/** One column of a row as it was then. */
export interface DecodedColumn {
  readonly name: string;
  /** As `format_type` writes it, without length or precision. */
  readonly type: string;
  /** Undefined: a long value that an update left alone, which is not in the WAL again. */
  readonly value: string | null | undefined;
}

export type Decoded =
  | {
      readonly change: "insert" | "update" | "delete";
      /** As SQL writes it, with its schema. */
      readonly table: string;
      /** What identified the row before, where it is known and, with an update, has changed. */
      readonly old: readonly DecodedColumn[] | undefined;
      /** What the row is since; undefined: deleted. */
      readonly row: readonly DecodedColumn[] | undefined;
    }
  | { readonly change: "truncate"; readonly tables: readonly string[] };

const name = String.raw`(?:"(?:[^"]|"")*"|[a-z_][a-z0-9_]*)`;
const tables = new RegExp(String.raw`table (${name}\.${name}(?:, ${name}\.${name})*): ([A-Z]+):`, "y");
const table = new RegExp(String.raw`${name}\.${name}`, "g");
const column = new RegExp(String.raw` (${name})\[((?:"(?:[^"]|"")*"|\[\]|[^"[\]])*)\]:`, "y");
const plain = /[^ ]+/y;

/** Undefined for what is no change of rows: begin, commit, a message. Throws `UnreadableChange` at a line that is none of test_decoding's. */
export function decode(line: string): Decoded | undefined {
  if (!line.startsWith("table ")) return undefined;
  const [head = "", names = "", operation = ""] = matchAt(tables, line, 0) ?? [];
  if (operation === "TRUNCATE") return { change: "truncate", tables: names.match(table) ?? [] };
  const common = { table: names, old: undefined, row: undefined };
  if (line.startsWith(" (no-tuple-data)", head.length)) {
    if (operation === "DELETE") return { ...common, change: "delete" };
    throw unreadable(line);
  }
  if (operation === "INSERT") return { ...common, change: "insert", row: columnsOf(line, head.length) };
  if (operation === "DELETE") return { ...common, change: "delete", old: columnsOf(line, head.length) };
  if (operation !== "UPDATE") throw unreadable(line);
  const before = " old-key:";
  if (!line.startsWith(before, head.length))
    return { ...common, change: "update", row: columnsOf(line, head.length) };
  const old: DecodedColumn[] = [];
  const end = readColumns(line, head.length + before.length, old);
  const after = " new-tuple:";
  if (!line.startsWith(after, end)) throw unreadable(line);
  return { ...common, change: "update", old, row: columnsOf(line, end + after.length) };
}

function columnsOf(line: string, from: number): DecodedColumn[] {
  const columns: DecodedColumn[] = [];
  if (readColumns(line, from, columns) !== line.length) throw unreadable(line);
  return columns;
}

/** @returns where the columns end. */
function readColumns(line: string, from: number, columns: DecodedColumn[]): number {
  let at = from;
  for (;;) {
    const [head, quotedName = "", type = ""] = matchAt(column, line, at) ?? [];
    if (head === undefined) return at;
    const [value, end] = readValue(line, at + head.length);
    columns.push({ name: unquoted(quotedName), type, value });
    at = end;
  }
}

function readValue(line: string, at: number): [value: DecodedColumn["value"], end: number] {
  if (line[at] === "'") return readText(line, at);
  if (line.startsWith("B'", at)) return readText(line, at + 1);
  const [word] = matchAt(plain, line, at) ?? [];
  if (word === undefined) throw unreadable(line);
  const end = at + word.length;
  if (word === "null") return [null, end];
  return [word === "unchanged-toast-datum" ? undefined : word, end];
}

/** No regular expression: a value may be a gigabyte, and full of quotes. */
function readText(line: string, opening: number): [value: string, end: number] {
  const parts: string[] = [];
  let from = opening + 1;
  for (;;) {
    const quote = line.indexOf("'", from);
    if (quote < 0) throw unreadable(line);
    parts.push(line.slice(from, quote));
    if (line[quote + 1] !== "'") return [parts.join("'"), quote + 1];
    from = quote + 2;
  }
}

function matchAt(pattern: RegExp, line: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(line) ?? undefined;
}

function unquoted(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}

/** A line that no version of test_decoding known here prints. */
export class UnreadableChange extends Error {}

function unreadable(line: string): UnreadableChange {
  // Values of a row are nobody's business in a log.
  return new UnreadableChange(`test_decoding printed what cannot be read: ${line.slice(0, 40)}…`);
}
