import type { Database } from "../../settings/types.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { Server } from "../database/connection.ts";
import type { Connect } from "./connect.ts";
import { changeSchema } from "./change.ts";
import { compareCatalogues, describeChanges } from "./catalogue/changes.ts";
import { readCatalogue } from "./catalogue/read.ts";
import type { Catalogue } from "./catalogue/read.ts";
import { layoutReader, readMigrations } from "./layouts/index.ts";
import { withScratch } from "./scratch.ts";
import { freshConnections } from "./sessions.ts";

/** How a database's catalogue compares with the one that its migrations make. */
export interface Stand {
  /** Versions after which the migrations' catalogue is the database's; several where migrations change data only. */
  readonly fits: readonly string[];
  /** The version whose catalogue is nearest, the newest of several; undefined: not one migration could be applied. */
  readonly nearest: { readonly version: string; readonly differences: readonly string[] } | undefined;
  /** Why the migrations could not be applied any further. */
  readonly ended: string | undefined;
}

export interface StandRequest {
  readonly database: Database;
  readonly owner: string;
  readonly operator: string;
  /** As superuser, to make and drop the scratch database. */
  readonly admin: Server;
  /** As the operator. */
  readonly open: Connect;
  /** Called after each migration was compared. */
  readonly onVersion?: (version: string, differences: number) => void;
}

/**
 * Applies the migrations one after the other to a scratch database and compares, so that it is known where a database stands
 * whose migrations nobody recorded. Owners and privileges are left out of the comparison. The database itself is only read.
 */
export async function standOf(request: StandRequest): Promise<Stand> {
  const { database, owner, operator, admin, open } = request;
  const files = await readMigrations(database);
  const real = await catalogueOf(database, database.name, open);
  return withScratch(admin, database.name, { owner, operator }, async (scratch) => {
    const fits: string[] = [];
    let nearest: { version: string; count: number; differences: string[] } | undefined;
    for (const { version } of files) {
      try {
        await changeSchema(
          {
            databases: [{ ...database, name: scratch }],
            wanted: new Map([[scratch, version]]),
            release: "",
            owner: () => owner,
          },
          open,
        );
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return { fits, nearest, ended: error.details.found };
      }
      const changes = compareCatalogues(await catalogueOf(database, scratch, open), real);
      const parts = [changes.removed, changes.changed, changes.added];
      const count = parts.reduce((sum, part) => sum + Object.keys(part).length, 0);
      if (count === 0) fits.push(version);
      if (nearest === undefined || count <= nearest.count)
        nearest = { version, count, differences: describeChanges(changes) };
      request.onVersion?.(version, count);
    }
    return { fits, nearest, ended: undefined };
  });
}

async function catalogueOf(database: Database, name: string, open: Connect): Promise<Catalogue> {
  const { trackingTable } = await layoutReader(database);
  const catalogue = await freshConnections(open)(name, async (client) => {
    await client.query("BEGIN READ ONLY");
    return readCatalogue(client, trackingTable);
  });
  return new Map([...catalogue].flatMap(([key, definition]) => comparable(key, definition)));
}

/** Whoever applied the migrations by hand was somebody else. */
function comparable(key: string, definition: string): [string, string][] {
  if (/^(grant|default privileges) /.test(key)) return [];
  return [[key, definition.replace(/^owner (?:"(?:[^"]|"")*"|\S+)/, "owner")]];
}
