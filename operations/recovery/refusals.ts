import { Refusal } from "../../settings/refusal.ts";

/** Refuses a recovery before anything stops. */
export function refuseRecovery(code: string, found: string, next: string, cause?: unknown): Refusal {
  return new Refusal({
    code,
    found,
    untouched: "Nothing was stopped, and the volume in use was not touched.",
    next,
    ...(cause === undefined ? {} : { cause }),
  });
}
