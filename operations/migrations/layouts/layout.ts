import type { Layout } from "../../../settings/types.ts";
import type { Migration, TrackedRow } from "../types.ts";
import type { FolderView } from "./files.ts";

/**
 * One way of keeping migrations: how its files are read and how its tool keeps track of what was applied.
 * A further layout is a further file that exports a `LayoutDefinition`, and a line in `index.ts`.
 */
export interface LayoutReader {
  readonly name: Layout;
  /** What in the folder speaks for this layout, e.g. `1_init.up.sql`; undefined: nothing. */
  recognise(folder: FolderView): string | undefined;
  /** Files that the tool itself runs at every migration, and that belong to no version: they are left to it. */
  aside?(folder: FolderView): readonly string[];
  /** All migrations of the folder in the order in which they are applied. Throws Refusals `MIGRATION_…`. */
  readFiles(folder: FolderView): Promise<Migration[]>;
  /** The one spelling of a version, e.g. `023` → `23`; undefined: not a version of this layout. */
  normalise(version: string): string | undefined;
  /** Order of two normalised versions, also of versions whose files are gone; undefined: only the files tell. */
  readonly compare: ((a: string, b: string) => number) | undefined;
  /** Whether a migration may be applied although a newer one already is (time stamps from merged branches). */
  readonly outOfOrder: boolean;
  /** Where the reversal of a migration belongs. */
  reversalPlace(migration: Pick<Migration, "file">): ReversalPlace;
  readonly trackingTable: TrackingTable;
}

/** A layout as its file describes it: what a reader is made of, for the table that a project keeps. */
export interface LayoutDefinition extends Omit<LayoutReader, "trackingTable"> {
  /** Where the tool keeps track unless it is told otherwise. */
  readonly defaultTable: PlacedTable;
  /** The tool has a schema of its own, and its table no other place. */
  readonly fixedTable?: boolean;
  /** `scope` is what `scope` found; undefined: nobody has looked. */
  tracking(table: PlacedTable, scope?: string): TrackingTable;
  /** What tells the folder's migrations from those of other folders that share the tracking table. */
  scope?(folder: FolderView): Promise<string>;
}

/** Schema and name of a table as they stand in the catalogue. */
export interface PlacedTable {
  readonly schema: string;
  readonly name: string;
}

/** The part of a `TrackingTable` that says where it is. */
export function place({ schema, name }: PlacedTable): Pick<TrackingTable, "schema" | "table"> {
  return { schema, table: name };
}

/** A place for a reversal that is yet to be written. */
export interface ReversalPlace {
  /** Relative to the migrations folder. */
  readonly file: string;
  /** Line behind which it goes, at the end of the file; undefined: it has the file for itself. */
  readonly marker: string | undefined;
}

/** The tool's own table; its shape is kept, so that the tool can still be used beside this program. */
export interface TrackingTable {
  readonly schema: string;
  readonly table: string;
  /** The whole schema is the tool's own and no part of the application's. */
  readonly ownSchema?: boolean;
  /** Columns by which it is told apart from tables of the same name of other tools. */
  readonly columns: readonly string[];
  /** Columns that such a table of another tool has. */
  readonly without?: readonly string[];
  /** Makes the table; runs only when it is not there. */
  readonly create: string;
  /**
   * Reads `version` (text), `success` (boolean: false is a dirty row) of everything applied, `up_to` (boolean) where a row
   * stands for all before it, `recorded` (text) where the tool keeps a checksum. Without `compare`, in the order of application.
   */
  readonly read: string;
  /** Statements that record migrations, in this order, as applied; `before` is the newest applied one before them. */
  record(migrations: readonly Migration[], before: string | undefined): string;
  /** Statements that remove the records of reversed migrations; `before` is the newest one that remains. */
  remove(migrations: readonly ReversedMigration[], before: string | undefined): string;
}

export type ReversedMigration = Pick<Migration, "version" | "name">;

/** Compares versions that are whole numbers of any length. */
export function compareNumbers(a: string, b: string): number {
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Compares texts by code unit, as most tools sort file names. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A whole number without leading zeros; undefined for anything else. */
export function normaliseNumber(version: string): string | undefined {
  return /^\d+$/.test(version) ? BigInt(version).toString() : undefined;
}

/** Versions that the tracking table calls applied, in the order given. */
export function appliedOf(rows: readonly TrackedRow[], order: readonly string[]): string[] {
  const exact = new Set(rows.filter((row) => row.success && row.upTo !== true).map((row) => row.version));
  const last = rows.reduce(
    (at, row) => (row.success && row.upTo === true ? Math.max(at, order.indexOf(row.version)) : at),
    -1,
  );
  return order.filter((version, at) => exact.has(version) || at <= last);
}
