import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../../database/query.ts";

/** What became of an archive that was put back, row by row. */
export interface PutBack {
  /** Rows that were missing and are there again. */
  readonly inserted: number;
  /** Rows whose place was as the reversal had left it, and that hold the archived values again. */
  readonly updated: number;
  /** Rows that held the archived values already. */
  readonly same: number;
  /** Rows that somebody wrote to since; left as they are. */
  readonly conflicts: number;
  /** Rows that were changed in place then and do not exist any more. */
  readonly gone: number;
  /** Keys of the first conflicts. */
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}

/** Data that a reversal destroyed, as it is kept in `rollback.<name>`. */
export interface Archive {
  /** Number by which commands name it. */
  readonly id: string;
  readonly name: string;
  /** `schema.table` it came from. */
  readonly source: string;
  readonly how: string;
  /** Columns that were dropped or changed; undefined: whole rows. */
  readonly lost: readonly string[] | undefined;
  readonly rows: number;
  readonly bytes: number;
  /** Version whose reversal destroyed it. */
  readonly migration: string;
  readonly run: string;
  /** ISO 8601. */
  readonly at: string;
  /** When it was put back, ISO 8601; undefined: not yet. */
  readonly restoredAt: string | undefined;
  /** The result of the last attempt to put it back, or why it failed. */
  readonly restored: PutBack | { readonly problem: string } | undefined;
}

const number = z.coerce.number();
const archiveRow = z.object({
  id: z.string(),
  name: z.string(),
  source: z.string(),
  how: z.string(),
  lost: z.array(z.string()).nullable(),
  rows: number,
  bytes: number,
  migration: z.string(),
  run: z.string(),
  at: z.date(),
  restored_at: z.date().nullable(),
  restored: z
    .union([
      z.object({ problem: z.string() }),
      z.object({
        inserted: number,
        updated: number,
        same: number,
        conflicts: number,
        gone: number,
        examples: z.array(z.record(z.string(), z.unknown())),
      }),
    ])
    .nullable(),
});

/** Which archives: by number, by the version that was reversed, by the run that put them back; all that are given must hold. */
export interface ArchiveFilter {
  readonly ids?: readonly string[];
  readonly migration?: string;
  /** Made before this moment. */
  readonly before?: Date;
  readonly restoredBy?: string;
}

/** Archives, the oldest first. The ledger must be of this program's version (`ensureLedger`). */
export async function listArchives(client: ClientBase, filter: ArchiveFilter = {}): Promise<Archive[]> {
  const rows = await rowsOf(
    client,
    archiveRow,
    `SELECT id::text AS id, name, source_schema || '.' || source_table AS source, how, lost, coalesce(rows, 0) AS rows,
       coalesce(bytes, 0) AS bytes, migration, run, at, restored_at, restored
     FROM rollback.archive
     WHERE ($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR migration = $2)
       AND ($3::timestamptz IS NULL OR at < $3) AND ($4::text IS NULL OR restored ->> 'run' = $4) ORDER BY rollback.archive.id`,
    [filter.ids ?? null, filter.migration ?? null, filter.before ?? null, filter.restoredBy ?? null],
  );
  return rows.map(({ lost, at, restored_at: restoredAt, restored, ...row }) => ({
    ...row,
    lost: lost ?? undefined,
    at: at.toISOString(),
    restoredAt: restoredAt?.toISOString(),
    restored: restored ?? undefined,
  }));
}
