/** One migration as its files say it, texts with LF line ends and without byte order mark. */
export interface Migration {
  /** Normalised by the layout, e.g. `23` for `023_x.sql`. */
  readonly version: string;
  /** What the file calls it, e.g. `add_recipe_json`. */
  readonly name: string;
  /** File that holds the forward SQL, relative to the migrations folder. */
  readonly file: string;
  readonly up: string;
  /** undefined: there is no reversal. */
  readonly down: string | undefined;
  /** SQL that raises an error unless the migration is in place; most layouts have none. */
  readonly verify: string | undefined;
  /** False when the layout itself says that the migration is not to run in a transaction. */
  readonly transactional: boolean;
  /** Why this program cannot run it, e.g. "it is Go code"; it can still be recorded as applied. */
  readonly foreign?: string;
  /** What the layout needs for its own record, e.g. the hash that the tool stores. */
  readonly facts?: Readonly<Record<string, string>>;
  /** SHA-256 of the forward text, hex. */
  readonly checksum: string;
  /** What the layout's tool itself would record as the file's checksum; undefined: it records none. */
  readonly recorded?: string;
}

/** Statements that raise an error unless a version is in place. */
export interface Verify {
  readonly version: string;
  readonly statements: readonly string[];
}

/** A name as written in SQL; `schema` undefined: found through the search path. */
export interface TableName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** A row of the migration tool's own tracking table. */
export interface TrackedRow {
  readonly version: string;
  /** False: the tool began this migration and did not finish it ("dirty"). */
  readonly success: boolean;
  /** True: everything before it is applied as well and has no rows of its own. */
  readonly upTo?: boolean;
  /** Checksum that the tool recorded of the file it applied. */
  readonly recorded?: string;
}

/** A migration that the ledger holds as applied. */
export interface LedgerRow {
  /** Primary key in `rollback.migration`; a bigint as text. */
  readonly id: string;
  readonly version: string;
  readonly name: string;
  readonly layout: string;
  readonly checksum: string;
  readonly up: string;
  readonly down: string | undefined;
  readonly verify?: string | undefined;
  readonly class: StepClass;
  readonly fingerprintBefore: string | undefined;
  readonly fingerprintAfter: string | undefined;
  readonly release: string | undefined;
}

/**
 * How far a step can be trusted to be undone or to undo.
 * - `exact`: only structure, all of it understood;
 * - `destroys data`: drops or overwrites data (which is archived when it is a reversal);
 * - `structure only`: reverses a migration that destroyed data, which it cannot bring back;
 * - `opaque`: a DO block or a function, whose effect cannot be known from its text;
 * - `no reversal`: there is none;
 * - `no-op`: a reversal without statements;
 * - `not transactional`: has a statement that PostgreSQL runs in no transaction.
 */
export const stepClasses = [
  "exact",
  "destroys data",
  "structure only",
  "opaque",
  "no reversal",
  "no-op",
  "not transactional",
] as const;
export type StepClass = (typeof stepClasses)[number];

/** What was seen in one database before planning. */
export interface Observed {
  readonly database: string;
  /** Rows of the tool's tracking table; undefined: there is no such table. */
  readonly tracked: readonly TrackedRow[] | undefined;
  /** undefined: there is no ledger yet. */
  readonly ledger: readonly LedgerRow[] | undefined;
  /** Setting `max_prepared_transactions` of the server. */
  readonly maxPrepared: number;
  /** Prepared transactions on the server. */
  readonly prepared: number;
  /** A step outside of a transaction that a run began and did not finish. */
  readonly boundary?: Boundary;
}

/** How far a step that commits statement by statement has come; see `ledger/boundary.ts`. */
export interface Boundary {
  readonly version: string;
  readonly direction: "forward" | "reverse";
  /** Statements that are done, from the first. */
  readonly done: number;
  /** Hash of the texts of those. */
  readonly hash: string;
  /** Indexes that were there when the statement after them was begun; undefined: it was not begun. */
  readonly begun: readonly string[] | undefined;
  /** Fingerprint of the catalogue before the step. */
  readonly before: string;
}
