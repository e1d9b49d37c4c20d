import { createHash } from "node:crypto";
import { z } from "zod";
import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { sqlState } from "./errors.ts";

/** A logical slot of ours: from its position on the server holds back the WAL that tells of every change in one database. */
export const slotSchema = z.object({
  name: z.string(),
  database: z.string(),
  /** `lost`: more WAL was written than may be held back, and what it held is gone. */
  status: z.enum(["reserved", "extended", "unreserved", "lost"]),
  /** Transactions that end here or later are told in full. */
  from: z.string(),
  /** Bytes of WAL until it is lost; null: it is, or nothing limits it. */
  left: z.number().nullable(),
});
export type Slot = z.output<typeof slotSchema>;

const prefix = "rollback_";

/** SQL for our slots, oldest first, as a JSON array. */
export const slotsSelect = `
  select coalesce(json_agg(json_build_object('name', slot_name, 'database', database, 'status', wal_status,
                                             'from', confirmed_flush_lsn, 'left', safe_wal_size)
                           order by confirmed_flush_lsn, slot_name), '[]')
    from pg_replication_slots
   where slot_type = 'logical' and plugin = 'test_decoding' and starts_with(slot_name, '${prefix}')
     and confirmed_flush_lsn is not null`;

/** Our slots, oldest first. */
export async function readSlots(server: Server, options: ConnectionOptions = {}): Promise<Slot[]> {
  return withClient(
    server,
    "postgres",
    async (client) => {
      const { rows } = await client.query<Record<string, unknown>>(`select (${slotsSelect}) as slots`);
      return z.array(slotSchema).parse(rows[0]?.["slots"]);
    },
    options,
  );
}

/** Name of the slot that a run makes in a database: lower case, digits and `_` are allowed, and 63 bytes. Pure. */
export function slotName(database: string, run: string): string {
  const digest = (text: string, length: number): string =>
    createHash("sha256").update(text).digest("hex").slice(0, length);
  return `${prefix}${digest(database, 8)}_${digest(run, 24)}`;
}

/**
 * Makes a slot, for which PostgreSQL waits until every transaction that is writing has ended; after `patience` milliseconds it is
 * given up, and the error passes through. Repeatable.
 */
export async function createSlot(
  server: Server,
  database: string,
  name: string,
  patience: number,
  options: ConnectionOptions = {},
): Promise<void> {
  await withClient(
    server,
    database,
    async (client) => {
      await client.query(`set statement_timeout = ${Math.ceil(patience)}`);
      try {
        await client.query("select pg_create_logical_replication_slot($1, 'test_decoding')", [name]);
      } catch (error) {
        if (sqlState(error) !== "42710") throw error;
      }
    },
    options,
  );
}

/** Gives up what a slot holds back. One that is gone is none of its business; one that somebody reads from is left. */
export async function dropSlot(
  server: Server,
  name: string,
  options: ConnectionOptions = {},
): Promise<boolean> {
  return withClient(
    server,
    "postgres",
    async (client) => {
      try {
        await client.query("select pg_drop_replication_slot($1)", [name]);
        return true;
      } catch (error) {
        if (sqlState(error) === "42704") return true;
        if (sqlState(error) === "55006") return false;
        throw error;
      }
    },
    options,
  );
}
