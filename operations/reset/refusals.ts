import { Refusal } from "../../settings/refusal.ts";

/** Refuses a reset while the database in use is as it was. */
export function refuseReset(code: string, found: string, next: string, cause?: unknown): Refusal {
  return new Refusal({
    code,
    found,
    untouched: "The database in use is as it was.",
    next,
    ...(cause === undefined ? {} : { cause }),
  });
}
