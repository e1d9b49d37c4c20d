import type { ClientBase } from "pg";
import { z } from "zod";
import { inTransaction, rowsOfEach } from "../database/query.ts";
import { compareCatalogues, describeChanges } from "./catalogue/changes.ts";
import { markOf, markSql } from "./catalogue/mark.ts";
import { comparable, fingerprintNow, readCatalogue } from "./catalogue/read.ts";
import type { LayoutReader } from "./layouts/layout.ts";
import { recordedCatalogue } from "./ledger/write.ts";

// The ledger may still be of a version without the mark.
const recordedSql = "SELECT fingerprint, to_jsonb(c) ->> 'mark' AS mark FROM rollback.catalogue c";
const recordedRows = z.array(z.object({ fingerprint: z.string(), mark: z.string().nullable() }));

/** What was changed in the catalogue since the last run, for people; empty: nothing, or no earlier run to compare with. */
export async function drift(client: ClientBase, reader: LayoutReader): Promise<string[]> {
  const [found, marked] = await rowsOfEach(client, [recordedSql, markSql]);
  const [recorded] = recordedRows.parse(found);
  if (recorded === undefined || recorded.mark === markOf(marked)) return [];
  if (comparable(recorded.fingerprint) === undefined) return [];
  return inTransaction(
    client,
    async () => {
      if (recorded.fingerprint === (await fingerprintNow(client, reader.trackingTable))) return [];
      const before = await recordedCatalogue(client);
      const now = await readCatalogue(client, reader.trackingTable);
      return before === undefined ? [] : describeChanges(compareCatalogues(before.catalogue, now));
    },
    "READ ONLY",
  );
}
