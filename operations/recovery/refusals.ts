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

/** A target in the middle of a schema change over several databases would leave them apart. */
export function halfDone(what: readonly string[]): Refusal {
  return refuseRecovery(
    "ROLLBACK_IN_PROGRESS",
    `the target lies in the middle of a schema change over several databases: ${what.join(", ")} would be left prepared, neither done nor undone.`,
    "Choose the restore point before that run, or a moment after it.",
  );
}

/** The WAL that has to be read has a hole; without this a recovery would silently end there. */
export function walGap(what: string): Refusal {
  return refuseRecovery(
    "WAL_GAP",
    `the WAL cannot be read without a break: ${what}.`,
    "Put the segment back into the archive if a copy of it exists (behind the target it is done without:  rollback:recovery.laterWrites: drop), or choose a target after the next base backup, or restore a dump. Make a new base backup now:  npx rollback backup --type full",
  );
}
