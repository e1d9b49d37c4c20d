import type { ClientBase } from "pg";
import { z } from "zod";
import { rowOf, rowsOf } from "../../database/query.ts";
import type { Captured } from "../drafting/captured.ts";
import type { CatalogueChanges } from "../catalogue/changes.ts";
import { comparable } from "../catalogue/read.ts";
import type { Catalogue, Look } from "../catalogue/read.ts";
import type { Migration, StepClass } from "../types.ts";

/** A migration to be held as applied. Fingerprints and changes are unknown for adopted ones. */
export interface LedgerEntry {
  readonly migration: Migration;
  readonly class: StepClass;
  readonly layout: string;
  readonly release: string | undefined;
  /** See `untracking`. */
  readonly untrack: string;
  readonly before?: string;
  readonly after?: string;
  readonly changes?: CatalogueChanges;
  /** For drafting a reversal later, where there is none. */
  readonly definitions?: Captured;
}

/** Writes entries in order, in one statement. */
export async function recordApplied(client: ClientBase, entries: readonly LedgerEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map(
    ({ migration, class: kind, layout, release, untrack, before, after, changes, definitions }) => ({
      version: migration.version,
      name: migration.name,
      checksum: migration.checksum,
      up: migration.up,
      down: migration.down ?? null,
      verify: migration.verify ?? null,
      class: kind,
      layout,
      release: release ?? null,
      untrack,
      fingerprint_before: before ?? null,
      fingerprint_after: after ?? null,
      catalogue_changes: changes ?? null,
      definitions: definitions ?? null,
    }),
  );
  await client.query(
    `INSERT INTO rollback.migration (version, name, layout, checksum, up, down, verify, class, fingerprint_before, fingerprint_after,
       catalogue_changes, definitions, release, untrack)
     SELECT version, name, layout, checksum, up, down, verify, class, fingerprint_before, fingerprint_after, catalogue_changes, definitions, release, untrack
     FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (version text, name text, layout text, checksum text, up text, down text, verify text,
       class text, fingerprint_before text, fingerprint_after text, catalogue_changes jsonb, definitions jsonb, release text, untrack text)) WITH ORDINALITY
     ORDER BY ordinality`,
    [JSON.stringify(rows)],
  );
}

/** Marks ledger rows as ended; they stay. */
export async function recordEnded(
  client: ClientBase,
  versions: readonly string[],
  state: "reversed" | "gone",
): Promise<void> {
  if (versions.length === 0) return;
  await client.query(
    "UPDATE rollback.migration SET state = $2, ended_at = now() WHERE state = 'applied' AND version = ANY ($1)",
    [versions, state],
  );
}

/** Keeps the catalogue as this run leaves it, for telling later what was changed by hand. */
export async function recordCatalogue(
  client: ClientBase,
  fingerprint: string,
  { catalogue, mark }: Look,
): Promise<void> {
  await client.query(
    `INSERT INTO rollback.catalogue (single, fingerprint, mark, objects, at) VALUES (true, $1, $2, $3::jsonb, now())
     ON CONFLICT (single) DO UPDATE
     SET fingerprint = excluded.fingerprint, mark = excluded.mark, objects = excluded.objects, at = excluded.at`,
    [fingerprint, mark, JSON.stringify(Object.fromEntries(catalogue))],
  );
}

/** The catalogue as the last run left it; undefined: no run yet, or none that this program can compare with. */
export async function recordedCatalogue(
  client: ClientBase,
): Promise<{ fingerprint: string; catalogue: Catalogue } | undefined> {
  const [row] = await rowsOf(
    client,
    z.object({ fingerprint: z.string(), objects: z.record(z.string(), z.string()) }),
    "SELECT fingerprint, objects FROM rollback.catalogue",
  );
  return row === undefined || comparable(row.fingerprint) === undefined
    ? undefined
    : { fingerprint: row.fingerprint, catalogue: new Map(Object.entries(row.objects)) };
}

/** Appends to the chain of events. `details` holds no secrets: it can be read by whoever may read the ledger. */
export async function appendEvent(
  client: ClientBase,
  run: string,
  kind: string,
  details: unknown,
): Promise<void> {
  // id, previous and hash are set by the trigger.
  await client.query(
    `INSERT INTO rollback.event (id, at, by, run, kind, details, previous, hash) VALUES (0, now(), '', $1, $2, $3::jsonb, '', '')`,
    [run, kind, JSON.stringify(details)],
  );
}

/** Whether a run's transaction was committed: its event is there. */
export async function hasEvent(client: ClientBase, run: string): Promise<boolean> {
  const row = await rowOf(
    client,
    z.object({ found: z.boolean() }),
    "SELECT EXISTS (SELECT FROM rollback.event WHERE run = $1 AND kind = 'schema') AS found",
    [run],
  );
  return row.found;
}

const changesRow = z.object({
  id: z.string(),
  changes: z.object({
    removed: z.record(z.string(), z.string()),
    changed: z.record(z.string(), z.object({ before: z.string(), after: z.string() })),
    added: z.record(z.string(), z.string()),
  }),
});

/** What migrations changed in the catalogue, newest first; undefined when it is not known of one of them. */
export async function changesOf(
  client: ClientBase,
  ids: readonly string[],
): Promise<CatalogueChanges[] | undefined> {
  const found = await recordedChanges(client, ids);
  return found.size === ids.length ? [...found.values()] : undefined;
}

/** What migrations changed in the catalogue, by id, newest first; those of which it is not known are left out. */
export async function recordedChanges(
  client: ClientBase,
  ids: readonly string[],
): Promise<Map<string, CatalogueChanges>> {
  const rows = await rowsOf(
    client,
    changesRow,
    "SELECT id::text AS id, catalogue_changes AS changes FROM rollback.migration WHERE id = ANY ($1::bigint[]) AND catalogue_changes IS NOT NULL ORDER BY rollback.migration.id DESC",
    [ids],
  );
  return new Map(rows.map(({ id, changes }) => [id, changes]));
}
