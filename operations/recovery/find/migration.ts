import { z } from "zod";
import type { Settings } from "../../../settings/types.ts";
import { withClient } from "../../database/connection.ts";
import { rowsOf } from "../../database/query.ts";
import { access } from "../../plan/access.ts";
import { committedBy } from "./damage.ts";
import type { Suspect } from "./find.ts";
import type { Scan } from "./scan.ts";

/** The transactions that applied a migration, by the ledger; the latest first. */
export async function findMigration(
  settings: Settings,
  { contents }: Scan,
  database: string,
  version: string,
): Promise<Suspect[]> {
  const committed = committedBy(contents.endings);
  const rows = await withClient(access(settings), database, (client) =>
    rowsOf(
      client,
      z.object({ xid: z.string(), direction: z.string(), name: z.string() }),
      `select e.xmin::text as xid, s->>'direction' as direction, coalesce(s->>'name', '') as name
         from rollback.event e, jsonb_array_elements(e.details->'steps') s
        where e.kind = 'schema' and s->>'version' = $1 order by e.id desc`,
      [version],
    ),
  );
  return rows.flatMap(({ xid, direction, name }): Suspect[] => {
    const ending = committed.get(xid);
    const done = direction === "down" ? "took back" : "applied";
    return ending === undefined
      ? []
      : [{ ending, table: "", what: `${done} migration ${version} ${name}`.trim() }];
  });
}
