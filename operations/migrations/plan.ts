import type { LayoutReader } from "./layouts/layout.ts";
import { appliedOf } from "./layouts/layout.ts";
import { migrationOrder } from "./order.ts";
import type { Hindered } from "./sql/preparing.ts";
import type { Step } from "./steps.ts";
import type { Boundary, LedgerRow, Migration, Observed, StepClass, TrackedRow, Verify } from "./types.ts";

/** Something a person should know that does not stop the plan. */
export interface PlanNote {
  readonly code: string;
  readonly text: string;
}

/** See `PlanNote`. */
export function note(code: string, text: string): PlanNote {
  return { code, text };
}

/** An applied migration that the ledger does not hold yet: taken over with the file's texts. */
export interface Adoption {
  readonly migration: Migration;
  readonly class: StepClass;
}

/** What is going to happen in one database. */
export interface DatabasePlan {
  readonly database: string;
  /** Role that owns the application's objects and that the SQL runs as. */
  readonly owner: string;
  readonly reader: LayoutReader;
  /** The newest applied version now, undefined: none; and afterwards. */
  readonly from: string | undefined;
  readonly to: string;
  /** Applied versions in their order. */
  readonly applied: readonly string[];
  /** Rows of the tracking table that the plan was made for; the transaction refuses to start from others. */
  readonly tracked: readonly TrackedRow[];
  /** Whether the tool's tracking table has to be made. */
  readonly createTracking: boolean;
  readonly adopt: readonly Adoption[];
  /** Ledger rows whose migrations are no longer applied: somebody else reversed them. */
  readonly gone: readonly LedgerRow[];
  /** Reversals newest first, or forward steps oldest first. */
  readonly steps: readonly Step[];
  /** Fingerprint that the catalogue must have after the reversal; undefined: not known (adopted, never proven). */
  readonly expected: string | undefined;
  /** What a reversal has to pass: the verify script of the version gone back to, as it was stored; undefined: it has none. */
  readonly verify?: Verify | undefined;
  /** Whether an earlier run recorded the catalogue, so that changes by hand can be told. */
  readonly recorded: boolean;
  /** A step outside of a transaction that an earlier run left half-way: finished, or given up where nothing of it is done. */
  readonly boundary?: Boundary | undefined;
  /** Partitions that its first step finishes detaching, with their schemas; see `detach.ts`. */
  readonly halfDetached?: readonly string[] | undefined;
  readonly notes: readonly PlanNote[];
  /** What keeps its transaction from being prepared; undefined: it changes alone, and only statements were looked at. */
  readonly hindrances?: readonly Hindered[];
}

/** The version of an empty schema, before the first migration; `position` gives -1 for it. */
export const beforeFirst = "0";

/** The same where a migration has the number 0, which `beforeFirst` would mean. */
export const none = "none";

/** What to call the version before the first migration. */
export function emptyVersion(order: readonly string[]): string {
  return order.includes(beforeFirst) ? none : beforeFirst;
}

export interface DatabaseRequest {
  readonly files: readonly Migration[];
  readonly observed: Observed;
  /** Version wanted, normalised or as written in the configuration. */
  readonly wanted: string;
  readonly owner: string;
  readonly reader: LayoutReader;
  /** `up`: takes nothing back; `down`: applies nothing; undefined: whatever leads to the version. */
  readonly way?: Way | undefined;
  /** Whether to say what a reversal leaves of its migration, which takes as long again as the plan; for those who only look. */
  readonly judge?: boolean | undefined;
}

/** A course that does not turn: where a migration is late, going to a version may need both directions. */
export type Way = "up" | "down";

/** All known versions in their order, and those of them that are applied. */
export function standingOf({
  files,
  observed,
  reader,
}: Pick<DatabaseRequest, "files" | "observed" | "reader">): { order: string[]; applied: string[] } {
  const tracked = observed.tracked ?? [];
  const inLedger = (observed.ledger ?? []).map((row) => row.version);
  const order = migrationOrder(files, knownApplied(tracked, inLedger, reader), reader);
  return { order, applied: appliedOf(tracked, order) };
}

/** Whether carrying the plan out would change anything, the ledger included. */
export function hasWork(plan: DatabasePlan): boolean {
  return (
    plan.steps.length > 0 || plan.adopt.length > 0 || plan.gone.length > 0 || plan.boundary !== undefined
  );
}

/** Versions with rows, and where a row stands for all before it, those before it that only the ledger knows. */
function knownApplied(
  tracked: readonly TrackedRow[],
  inLedger: readonly string[],
  { compare }: Pick<LayoutReader, "compare">,
): string[] {
  const rows = tracked.map((row) => row.version);
  const newest = tracked.find((row) => row.upTo === true)?.version;
  if (newest === undefined || compare === undefined) return rows;
  return [...inLedger.filter((version) => compare(version, newest) <= 0), ...rows];
}
