import type { ClientBase } from "pg";
import type { Database } from "../../settings/types.ts";
import { readFolder } from "./layouts/index.ts";
import { drift } from "./drift.ts";
import { observeDatabase } from "./observe.ts";
import { emptyVersion, standingOf } from "./plan.ts";
import { scriptClass } from "./steps.ts";
import { loadParser } from "./sql/parse.ts";
import { understand } from "./sql/script.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { LedgerRow, Migration, StepClass } from "./types.ts";

/** One migration of a database, applied or not. */
export interface MigrationState {
  readonly version: string;
  readonly name: string;
  /** `dirty`: another tool began it and did not finish it. */
  readonly state: "applied" | "pending" | "dirty";
  /** Where the reversal would come from; null: there is none. */
  readonly reversal: "ledger" | "file" | null;
  /** What the forward SQL does; null: this program cannot say, see `trouble`. */
  readonly class: StepClass | null;
  /** Release it was applied for; null: not known. */
  readonly release: string | null;
  /** The file is not what was applied. */
  readonly edited: boolean;
  /** Code of the refusal that applying or reversing it would end in. */
  readonly trouble: string | null;
}

/** Where a database stands with its migrations. */
export interface DatabaseState {
  readonly database: string;
  readonly layout: string;
  /** Newest applied version; `0`, or `none` where a migration is numbered 0: none. */
  readonly version: string;
  readonly migrations: readonly MigrationState[];
  /** Whether this program keeps a ledger in the database. */
  readonly ledger: boolean;
  /** What was changed in the catalogue by something else since the last run. */
  readonly drift: readonly string[];
}

/** Reads where a database stands. Changes nothing. Throws Refusals `MIGRATION_…`. */
export async function stateOf(client: ClientBase, database: Database): Promise<DatabaseState> {
  await loadParser();
  const { reader, files } = await readFolder(database);
  const observed = await observeDatabase(client, database);
  const { order, applied } = standingOf({ files, observed, reader });
  const isApplied = new Set(applied);
  const dirty = new Set((observed.tracked ?? []).filter((row) => !row.success).map((row) => row.version));
  const fileOf = new Map(files.map((file) => [file.version, file]));
  const rowOf = new Map((observed.ledger ?? []).map((row) => [row.version, row]));
  return {
    database: database.name,
    layout: reader.name,
    version: applied.at(-1) ?? emptyVersion(order),
    migrations: order.map((version) => ({
      version,
      state: dirty.has(version) ? "dirty" : isApplied.has(version) ? "applied" : "pending",
      ...known(fileOf.get(version), isApplied.has(version) ? rowOf.get(version) : undefined),
    })),
    ledger: observed.ledger !== undefined,
    drift: observed.ledger === undefined ? [] : await drift(client, reader),
  };
}

function known(
  file: Migration | undefined,
  row: LedgerRow | undefined,
): Omit<MigrationState, "version" | "state"> {
  const down = row?.down ?? file?.down;
  const up = judged(file?.up ?? row?.up);
  return {
    name: row?.name ?? file?.name ?? "",
    reversal: row?.down !== undefined ? "ledger" : file?.down !== undefined ? "file" : null,
    class: row?.class ?? up.class,
    release: row?.release ?? null,
    edited: row !== undefined && file !== undefined && row.checksum !== file.checksum,
    trouble: (row === undefined ? up.trouble : null) ?? judged(down).trouble,
  };
}

function judged(sql: string | undefined): { class: StepClass | null; trouble: string | null } {
  if (sql === undefined) return { class: null, trouble: null };
  try {
    return { class: scriptClass(understand(sql, "")), trouble: null };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { class: null, trouble: error.code };
  }
}
