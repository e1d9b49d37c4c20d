import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { sqlState } from "./errors.ts";
import { rowOf } from "./query.ts";
import { currentTimeline } from "./observe.ts";

/** A place in the write-ahead log to which the server can be recovered without knowing a clock time. */
export interface RestorePoint {
  readonly name: string;
  /** Use it *exclusive*, as the position after the record. */
  readonly lsn: string;
  readonly timeline: number;
  /** First transaction id that was not yet given out. */
  readonly nextXid: string;
  /** ISO time of the server, with zone. */
  readonly time: string;
  /** False where the server does not let us name a point (a managed service): recover by LSN then. */
  readonly named: boolean;
}

const pointSchema = z.object({
  lsn: z.string(),
  timeline: z.number(),
  next_xid: z.string(),
  time: z.date(),
});

/**
 * Writes a named restore point. The name must be new (PostgreSQL stops at the *first* match) and at most 63 bytes:
 * put the revision in it. Without the right to name one, position and time are given all the same (`named: false`).
 */
export async function createRestorePoint(
  server: Server,
  name: string,
  options: ConnectionOptions & { readonly database?: string } = {},
): Promise<RestorePoint> {
  if (Buffer.byteLength(name) > 63 || name === "") {
    throw new Refusal({
      code: "NAME_IMPOSSIBLE",
      found: `${JSON.stringify(name)} cannot name a restore point (1 to 63 bytes).`,
      untouched: "Nothing was changed.",
    });
  }
  return withClient(
    server,
    options.database ?? "postgres",
    async (client) => {
      const read = (lsn: string, values: readonly string[]): Promise<z.output<typeof pointSchema>> =>
        rowOf(
          client,
          pointSchema,
          `select ${lsn}::text as lsn, ${currentTimeline} as timeline,
                  pg_snapshot_xmax(pg_current_snapshot())::text as next_xid, clock_timestamp() as time`,
          values,
        );
      try {
        return asPoint(name, true, await read("pg_create_restore_point($1)", [name]));
      } catch (error) {
        if (sqlState(error) !== "42501") throw error;
        return asPoint(name, false, await read("pg_current_wal_insert_lsn()", []));
      }
    },
    options,
  );
}

function asPoint(name: string, named: boolean, row: z.output<typeof pointSchema>): RestorePoint {
  return {
    name,
    named,
    lsn: row.lsn,
    timeline: row.timeline,
    nextXid: row.next_xid,
    time: row.time.toISOString(),
  };
}
