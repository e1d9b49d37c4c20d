import { InvalidArgumentError, type Command } from "commander";
import { tableName } from "../settings/identifiers.ts";

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
