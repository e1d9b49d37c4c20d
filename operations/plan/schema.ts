import type { Server } from "../database/connection.ts";
import { layoutReader, readMigrations } from "../migrations/layouts/index.ts";
import { connector, type Connect } from "../migrations/connect.ts";
import { currentVersions } from "../migrations/observe.ts";
import { migrationOrder } from "../migrations/order.ts";
import type { Database } from "../../settings/types.ts";

/** Where one database stands and which versions there are. */
export interface SchemaObservation {
  /** Newest applied version; undefined: none. */
  readonly version: string | undefined;
  /** Versions of files and of what is applied, oldest first. */
  readonly order: readonly string[];
}

/** Reads the migrations' files and, with a server, what is applied. Two round trips; changes nothing. */
export async function observeSchema(
  database: Database,
  connect: Connect | undefined,
): Promise<SchemaObservation> {
  const files = await readMigrations(database);
  const current =
    connect === undefined ? undefined : (await currentVersions(connect, [database])).get(database.name);
  const applied = current?.applied ?? [];
  return { version: current?.head, order: migrationOrder(files, applied, await layoutReader(database)) };
}

/** Connections for the migration engine. `name` is how they call themselves, by which a later run can end them. */
export function connectorTo(server: Server, name: string): Connect {
  return connector(server, { applicationName: name, connectTimeoutMs: 10_000 });
}
