import type { Layout, Migration } from "../types.ts";

/**
 * One way of keeping migrations: how its files are read and how its tool keeps track of what was applied.
 * A further layout is a further file that exports one of these, and a line in `index.ts`.
 */
export interface LayoutReader {
  readonly name: Layout;
  /** All migrations of the folder in the order in which they are applied. Throws Refusals `MIGRATION_…`. */
  readFiles(folder: string): Promise<Migration[]>;
  /** The one spelling of a version, e.g. `023` → `23`; undefined: not a version of this layout. */
  normalise(version: string): string | undefined;
  /** Order of two normalised versions; also of versions whose files are gone. */
  compare(a: string, b: string): number;
  /** Whether a migration may be applied although a newer one already is (time stamps from merged branches). */
  readonly outOfOrder: boolean;
  readonly trackingTable: TrackingTable;
}

/** The tool's own table; its shape is kept, so that the tool can still be used beside this program. */
export interface TrackingTable {
  readonly schema: string;
  readonly table: string;
  /** Columns by which it is told apart from tables of the same name of other tools. */
  readonly columns: readonly string[];
  /** Makes the table; runs only when it is not there. */
  readonly create: string;
  /** Reads `version` (text), `success` (boolean: false is a dirty row) of everything applied. */
  readonly read: string;
  /** Statements that record migrations, in this order, as applied; `before` is the newest applied one before them. */
  record(migrations: readonly TrackedMigration[], before: string | undefined): string;
  /** Statements that remove the records of reversed migrations; `before` is the newest one that remains. */
  remove(migrations: readonly TrackedMigration[], before: string | undefined): string;
}

export type TrackedMigration = Pick<Migration, "version" | "name" | "checksum">;

/** Compares versions that are whole numbers of any length. */
export function compareNumbers(a: string, b: string): number {
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** A whole number without leading zeros; undefined for anything else. */
export function normaliseNumber(version: string): string | undefined {
  return /^\d+$/.test(version) ? BigInt(version).toString() : undefined;
}
