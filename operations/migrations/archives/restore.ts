import type { ClientBase } from "pg";
import { Refusal } from "../../../settings/refusal.ts";
import { inTransaction } from "../../database/query.ts";
import { ensureLedger } from "../ledger/ensure.ts";
import { appendEvent } from "../ledger/write.ts";
import { listArchives } from "./list.ts";
import type { Archive, ArchiveFilter } from "./list.ts";

export interface RestoreOptions {
  /** Name of this act in `rollback.event`. */
  readonly run: string;
  /** Also where somebody has written since. Default false: such rows are conflicts and stay as they are. */
  readonly overwrite?: boolean;
  /** Looks what would happen, and changes nothing. */
  readonly dryRun?: boolean;
}

/**
 * Puts archived rows and columns back by primary key, in one transaction; `client` is connected as the operator. Returns the
 * archives with what became of each. They stay until they are pruned.
 * Throws `ARCHIVE_UNKNOWN` when the filter finds none.
 */
export async function restoreArchives(
  client: ClientBase,
  filter: ArchiveFilter,
  { run, overwrite = false, dryRun = false }: RestoreOptions,
): Promise<Archive[]> {
  await ensureLedger(client);
  const ids = (await listArchives(client, filter)).map(({ id }) => id);
  refuseNone(ids, filter);
  let result: Archive[] = [];
  const work = async (): Promise<void> => {
    await client.query(
      "SELECT rollback.look_back(a) FROM (SELECT * FROM rollback.archive WHERE id = ANY ($1::bigint[]) ORDER BY id) a",
      [ids],
    );
    await client.query("SELECT rollback.put_back_all($1::bigint[], $2)", [ids, overwrite]);
    result = await listArchives(client, { ids });
    const details = result.map(({ id, source, restored }) => ({ id, source, restored }));
    if (!dryRun) await appendEvent(client, run, "restore", { overwrite, archives: details });
    else throw dryRunDone;
  };
  try {
    await inTransaction(client, work);
  } catch (error) {
    if (error !== dryRunDone) throw error;
  }
  return result;
}

const dryRunDone = new Error("a dry run ends in a rollback");

/** Throws `ARCHIVE_UNKNOWN` for a filter that finds nothing, or not all numbers that it names. */
export function refuseNone(found: readonly string[], { ids, migration }: ArchiveFilter): void {
  const missing = (ids ?? []).filter((id) => !found.includes(id));
  if (found.length > 0 && missing.length === 0) return;
  const what = [
    ids === undefined ? "" : `with the number ${missing.join(", ")}`,
    migration === undefined ? "" : `of a reversal of ${migration}`,
  ].filter((text) => text !== "");
  throw new Refusal({
    code: "ARCHIVE_UNKNOWN",
    found: `there is no archive ${what.join(", ") || "that fits"}.`,
    untouched: "Nothing was changed.",
    next: "Look at what there is:  npx rollback archives DATABASE",
  });
}
