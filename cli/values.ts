import { InvalidArgumentError } from "commander";

/** Parser of an option that takes a whole number of minutes, at least 1. */
export function wholeMinutes(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("a whole number of minutes");
  return value;
}
