import type { ClientBase } from "pg";
import { identifier, inTransaction } from "../../database/query.ts";
import { ensureLedger } from "../ledger/ensure.ts";
import { appendEvent } from "../ledger/write.ts";
import { listArchives } from "./list.ts";
import type { Archive, ArchiveFilter } from "./list.ts";
import { refuseNone } from "./restore.ts";

/**
 * Removes archives for good; nothing else ever does. An event tells what was removed. With `dryRun` they are only listed.
 * `client` is connected as the operator. Throws `ARCHIVE_UNKNOWN` when numbers are named that do not exist.
 */
export async function pruneArchives(
  client: ClientBase,
  filter: ArchiveFilter,
  { run, dryRun = false }: { readonly run: string; readonly dryRun?: boolean },
): Promise<Archive[]> {
  await ensureLedger(client);
  const archives = await listArchives(client, filter);
  if (filter.ids !== undefined)
    refuseNone(
      archives.map(({ id }) => id),
      filter,
    );
  if (dryRun || archives.length === 0) return archives;
  await inTransaction(client, async () => {
    for (const { name } of archives) await client.query(`DROP TABLE rollback.${identifier(name)}`);
    await client.query("DELETE FROM rollback.archive WHERE id = ANY ($1::bigint[])", [
      archives.map(({ id }) => id),
    ]);
    await appendEvent(client, run, "prune", {
      archives: archives.map(({ id, source, migration, rows, bytes }) => ({
        id,
        source,
        migration,
        rows,
        bytes,
      })),
    });
  });
  return archives;
}
