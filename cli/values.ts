import { InvalidArgumentError, type Command } from "commander";
import { databaseName, tableName } from "../settings/identifiers.ts";

/** Parser of an option that takes a whole number of minutes, at least 1. */
export function wholeMinutes(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("a whole number of minutes");
  return value;
}

/** Parser of an option that takes a whole number, at least 1. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("a whole number, at least 1");
  return value;
}

/** Parser of an option that takes a whole number of days, 0 included. */
export function wholeDays(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("a whole number of days");
  return value;
}

/** Parser of an option that takes a table, with or without its schema, as SQL writes it. */
export function tableOption(text: string): string {
  const parsed = tableName.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? "");
  return parsed.data;
}

/** Parser of an option that takes the name of a database. */
export function databaseOption(text: string): string {
  const parsed = databaseName.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? "");
  return parsed.data;
}

/** Parser of an option `COLUMN=VALUE` that may be given several times. */
export function keyOption(
  text: string,
  before: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const [, column, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (column === undefined || value === undefined) throw new InvalidArgumentError("COLUMN=VALUE");
  return new Map([...before, [column, value]]);
}

/** Refuses (exit code 2) a command line that names nothing to act on, or what cannot be a number of an archive. */
export function requireSome(
  command: Command,
  ids: readonly string[],
  alternative: unknown,
  what: string,
): void {
  const wrong = ids.find((id) => !/^\d{1,18}$/.test(id));
  if (wrong === undefined && (ids.length > 0 || alternative !== undefined)) return;
  command.error(
    `error: ${wrong === undefined ? `name ${what}` : `${wrong} is not the number of an archive`}`,
  );
}

/** Collects an option that may be given several times. */
export function collectTexts(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** Collects an option of the form `name=value` that may be given several times. */
export function collectPairs(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const at = text.indexOf("=");
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError("of the form name=value");
  return new Map([...before, [text.slice(0, at), text.slice(at + 1)]]);
}

/** As `collectPairs`, with a port behind each name. */
export function collectPorts(text: string, before: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const [[name, value] = ["", ""]] = collectPairs(text, new Map());
  const port = Number(value);
  if (!/^\d+$/.test(value) || port < 1 || port > 65535)
    throw new InvalidArgumentError("a port is 1 to 65535");
  return new Map([...before, [name, port]]);
}
