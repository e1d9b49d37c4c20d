import { refuseReset } from "./refusals.ts";
import type { DumpLoad, PackLoad } from "./types.ts";

/** Refuses rows that fit a newer schema than the one wanted, of `order` (oldest first). Pure. */
export function refuseNewer(
  dump: DumpLoad,
  wanted: string,
  order: readonly string[],
  database: string,
): void {
  const [at, to] = [order.indexOf(dump.version), order.indexOf(wanted)];
  if (at !== -1 && at <= to) return;
  throw refuseReset(
    "RESET_DUMP_NEWER",
    at === -1
      ? `the rows of ${dump.name} fit schema ${dump.version} of ${database}, for which there is no migration.`
      : `the rows of ${dump.name} fit schema ${dump.version} of ${database}, which is newer than the ${wanted} that it shall have.`,
    "Name an older dump, or make the release of that schema live for the reset and go back from it afterwards.",
  );
}

/** What a load must leave free: segments of WAL, the catalogue, and what else the server writes meanwhile. Bytes. */
const reserve = 128 * 1024 ** 2;

/** Bytes that a new database with these rows takes: rows, their indexes, and the WAL of both. Pure. */
export function bytesNeeded(dump: DumpLoad | undefined, pack: PackLoad | undefined): number {
  const text =
    (dump?.tables ?? []).reduce((sum, { bytes }) => sum + bytes, 0) + JSON.stringify(pack?.rows ?? []).length;
  return text * 3 + reserve;
}

/** Refuses a load for which there is no room, while it is easy to make some. Pure. */
export function refuseWithoutRoom(needed: number, free: number): void {
  if (free >= needed) return;
  const size = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MB`;
  throw refuseReset(
    "RESET_NO_SPACE",
    `the new database needs about ${size(needed)} beside the one that is kept, ${size(free)} are free.`,
    "Make room where the data's volume is, or load fewer tables:  rollback:reset.load.tables",
  );
}
