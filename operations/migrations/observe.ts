import type { ClientBase } from "pg";
import { z } from "zod";
import type { Database } from "../../settings/types.ts";
import { Refusal } from "../../settings/refusal.ts";
import { sqlState } from "../database/errors.ts";
import { rowOf, rowsOf, rowsOfEach } from "../database/query.ts";
import { comparable } from "./catalogue/read.ts";
import { layoutReader } from "./layouts/index.ts";
import type { LayoutReader } from "./layouts/layout.ts";
import { newestBoundary, openBoundary } from "./ledger/boundary.ts";
import type { Connect } from "./connect.ts";
import { freshConnections } from "./sessions.ts";
import { quoteName } from "./sql/names.ts";
import { stepClasses } from "./types.ts";
import type { LedgerRow, Observed, TableName, TrackedRow } from "./types.ts";

/** Where a database stands; see `currentVersions`. */
export interface CurrentVersion {
  readonly database: string;
  /** Versions applied according to the tracking table, in the order of the layout. */
  readonly applied: readonly string[];
  /** The newest applied version; undefined: none. */
  readonly head: string | undefined;
  /** Versions that a tool began and did not finish. */
  readonly dirty: readonly string[];
  readonly ledger: boolean;
}

/** Where the databases stand: cheap enough for every start of the program (two round trips per database, no files). */
export async function currentVersions(
  open: Connect,
  databases: Iterable<Database>,
): Promise<Map<string, CurrentVersion>> {
  const result = new Map<string, CurrentVersion>();
  for (const database of databases) {
    const reader = await layoutReader(database);
    const seen = await freshConnections(open)(database.name, async (client) => {
      const present = await presence(client, reader);
      return { tracked: await trackedRows(client, reader, present.columns), ledger: present.ledger };
    });
    const applied = appliedVersions(seen.tracked ?? [], reader);
    result.set(database.name, {
      database: database.name,
      applied,
      head: applied.at(-1),
      dirty: (seen.tracked ?? []).filter((row) => !row.success).map((row) => row.version),
      ledger: seen.ledger,
    });
  }
  return result;
}

/** Versions with a row of their own, in the layout's order. Where one row stands for all before it, that is one. */
export function appliedVersions(
  rows: readonly TrackedRow[],
  { compare }: Pick<LayoutReader, "compare">,
): string[] {
  const versions = rows.filter((row) => row.success).map((row) => row.version);
  return compare === undefined ? versions : versions.sort(compare);
}

/** Everything planning needs to know of one database. */
export async function observeDatabase(client: ClientBase, database: Database): Promise<Observed> {
  const reader = await layoutReader(database);
  const present = await presence(client, reader);
  const [events, rows] = present.ledger
    ? await rowsOfEach(client, [newestBoundary, appliedRows])
    : [undefined, undefined];
  const boundary = events === undefined ? undefined : openBoundary(events);
  return {
    database: database.name,
    tracked: await trackedRows(client, reader, present.columns),
    ledger: rows === undefined ? undefined : ledgerRows(rows),
    maxPrepared: present.max_prepared,
    prepared: present.prepared,
    ...(boundary === undefined ? {} : { boundary }),
  };
}

const presenceRow = z.object({
  ledger: z.boolean(),
  columns: z.array(z.string()).nullable(),
  max_prepared: z.number(),
  prepared: z.number(),
});

async function presence(client: ClientBase, reader: LayoutReader): Promise<z.infer<typeof presenceRow>> {
  const { schema, table } = reader.trackingTable;
  return rowOf(
    client,
    presenceRow,
    `SELECT to_regclass('rollback.migration') IS NOT NULL AS ledger,
       (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped) AS columns,
       current_setting('max_prepared_transactions')::integer AS max_prepared,
       (SELECT count(*) FROM pg_prepared_xacts)::integer AS prepared`,
    [quoteName({ schema, name: table })],
  );
}

const trackedRow = z.array(
  z.object({
    version: z.string(),
    success: z.boolean(),
    up_to: z.boolean().optional(),
    recorded: z.string().nullish(),
  }),
);

/**
 * Reads the tool's table; `columns` are those it has (null: no such table). Statements `before` make the same round trip.
 * Throws `MIGRATION_TRACKING` when the table is another tool's, or holds what is no version of the layout.
 */
export async function trackedRows(
  client: ClientBase,
  reader: LayoutReader,
  columns: readonly string[] | null,
  before: readonly string[] = [],
): Promise<TrackedRow[] | undefined> {
  if (columns === null) return undefined;
  const { schema, table, columns: expected, without = [], read } = reader.trackingTable;
  const missing = expected.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw trackingRefusal(
      `${schema}.${table} has the columns ${columns.join(", ")}; the layout ${reader.name} needs ${missing.join(", ")} too.`,
      "Set rollback:databases → layout to that of the tool that made the table.",
    );
  }
  const foreign = without.filter((column) => columns.includes(column));
  if (foreign.length > 0) {
    throw trackingRefusal(
      `${schema}.${table} has the column ${foreign.join(", ")}, which that of the layout ${reader.name} does not have.`,
      "Set rollback:databases → layout to that of the tool that made the table.",
    );
  }
  const results = await rowsOfEach(client, [...before, read]).catch((error: unknown) => {
    throw sqlState(error) === "42501" ? unreadable(`${schema}.${table}`, error) : error;
  });
  return trackedRow.parse(results.at(-1)).map(({ version, success, up_to: upTo, recorded }): TrackedRow => {
    const normal = reader.normalise(version);
    if (normal === undefined) {
      throw trackingRefusal(
        `${schema}.${table} holds ${version}, which is no version of the layout ${reader.name}.`,
        "Correct the row, or the layout in the configuration.",
      );
    }
    return {
      version: normal,
      success,
      ...(upTo === true ? { upTo } : {}),
      ...(typeof recorded === "string" ? { recorded } : {}),
    };
  });
}

/** The tool ran as a role that nobody here is a member of. */
function unreadable(table: string, cause: unknown): Refusal {
  return new Refusal({
    code: "MIGRATION_TRACKING",
    found: `the operator may not read ${table}.`,
    untouched: "Nothing was changed.",
    next: "Let the role that owns the migrations' objects have the rights of the tool's:  GRANT <tool's role> TO <database>_owner;",
    cause,
  });
}

function trackingRefusal(found: string, next: string): Refusal {
  return new Refusal({ code: "MIGRATION_TRACKING", found, untouched: "Nothing was changed.", next });
}

const ledgerRow = z.object({
  id: z.string(),
  version: z.string(),
  name: z.string(),
  layout: z.string(),
  checksum: z.string(),
  up: z.string(),
  down: z.string().nullable(),
  verify: z.string().nullable(),
  class: z.enum(stepClasses),
  fingerprint_before: z.string().nullable(),
  fingerprint_after: z.string().nullable(),
  release: z.string().nullable(),
});

const appliedRows = `SELECT id::text AS id, version, name, layout, checksum, up, down, verify, class, fingerprint_before, fingerprint_after, release
   FROM rollback.migration WHERE state = 'applied' ORDER BY id`;

function ledgerRows(rows: readonly unknown[]): LedgerRow[] {
  return z
    .array(ledgerRow)
    .parse(rows)
    .map((row) => ({
      id: row.id,
      version: row.version,
      name: row.name,
      layout: row.layout,
      checksum: row.checksum,
      up: row.up,
      down: row.down ?? undefined,
      verify: row.verify ?? undefined,
      class: row.class,
      fingerprintBefore: comparable(row.fingerprint_before),
      fingerprintAfter: row.fingerprint_after ?? undefined,
      release: row.release ?? undefined,
    }));
}

/** How a table stands that a plan would destroy. `rows` is the planner's estimate, -1 never; bytes include indexes. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
}

/** Sizes of tables by the name that the SQL uses, of an index its table's; those that do not exist (yet) are left out. */
export async function tableSizes(
  client: ClientBase,
  tables: readonly TableName[],
): Promise<Map<string, TableSize>> {
  const names = [...new Set(tables.map(quoteName))];
  if (names.length === 0) return new Map();
  const rows = await rowsOf(
    client,
    z.object({ name: z.string(), rows: z.coerce.number(), bytes: z.coerce.number() }),
    `SELECT n AS name,
       CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0) FROM pg_partition_tree(c.oid) t)
            -- Asking for every index and side table of thousands of empty tables takes longer than to drop them.
            WHEN pg_relation_size(coalesce(i.indrelid, c.oid)) = 0 THEN 0
            ELSE pg_total_relation_size(coalesce(i.indrelid, c.oid)) END AS bytes,
       CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(greatest(p.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid)
            WHEN c.reltuples < 0 THEN pg_relation_size(c.oid) / 100 ELSE c.reltuples END AS rows
     FROM jsonb_array_elements_text($1) AS n JOIN pg_class c ON c.oid = to_regclass(n) AND c.relkind IN ('r', 'p', 'm', 'i')
       LEFT JOIN pg_index i ON i.indexrelid = c.oid`,
    [JSON.stringify(names)],
  );
  return new Map(rows.map((row) => [row.name, { rows: row.rows, bytes: row.bytes }]));
}
