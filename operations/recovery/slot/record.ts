import { tableParts, tableSql } from "../../../settings/identifiers.ts";
import type { Database } from "../../../settings/types.ts";
import type { DumpPlace } from "../../backup/place.ts";
import type { Server } from "../../database/connection.ts";
import { sqlState } from "../../database/errors.ts";
import { readSlots, type Slot } from "../../database/slots.ts";
import { layoutReader } from "../../migrations/layouts/index.ts";
import { changesName, keepLines, salvageFolder } from "../pack.ts";
import { inDatabase, primaryKey } from "../stands.ts";
import { parseLsn, type Ending } from "../wal.ts";
import { readChanges } from "./changes.ts";
import { UnreadableChange } from "./decode.ts";
import { emptyNet, follow, type Net } from "./net.ts";

/** What a slot had of the transactions that a recovery leaves out. */
export interface ChangeRecord {
  readonly nets: ReadonlyMap<string, Net>;
  /** Whether every one of them is on record. */
  readonly whole: boolean;
  readonly changes: number;
  /** Transactions that the slot reaches back to, and all. */
  readonly reached: number;
  readonly transactions: number;
  /** Why nothing is on record; undefined: something is. */
  readonly why: string | undefined;
}

export interface RecordRequest {
  readonly place: DumpPlace;
  readonly server: Server;
  readonly target: Server;
  readonly database: Database;
  readonly lost: readonly Ending[];
  readonly name: string;
}

/** The slot that reaches back to all of the transactions with the least to read, or to the most of them. Pure. */
export function bestSlot(
  slots: readonly Slot[],
  database: string,
  lost: readonly Pick<Ending, "lsn">[],
): { readonly slot: Slot | undefined; readonly why: string } {
  const own = slots.filter((slot) => slot.database === database);
  const usable = own.filter(({ status }) => status !== "lost");
  const reaching = usable.filter(({ from }) => lost.every(({ lsn }) => lsn >= parseLsn(from)));
  return {
    slot: reaching.at(-1) ?? usable.at(0),
    why: own.length === 0 ? "there is no slot" : "more WAL was written than may be held back for it",
  };
}

/**
 * Writes `<database>.changes.jsonl` with each change as it happened, and follows what they come to. A slot that cannot be
 * read any more is no reason to stop: rows are kept as they stand, and it is said.
 */
export async function recordOf(request: RecordRequest): Promise<ChangeRecord> {
  const { place, server, target, database, lost, name } = request;
  const { slot, why } = bestSlot(await readSlots(server), database.name, lost);
  const none = { nets: new Map(), whole: false, changes: 0, reached: 0, transactions: lost.length, why };
  if (slot === undefined) return none;
  const reached = lost.filter(({ lsn }) => lsn >= parseLsn(slot.from));
  if (reached.length === 0) return { ...none, why: `it begins only at ${slot.from}, behind all of them` };
  const { trackingTable } = await layoutReader(database);
  const nets = new Map<string, Net>();
  const netOf = async (table: string): Promise<Net> => {
    const known = nets.get(table);
    if (known !== undefined) return known;
    const net = emptyNet(await keyEither([server, target], database.name, table));
    nets.set(table, net);
    return net;
  };
  let changes = 0;
  const counted = (table: string): boolean => {
    const { schema, name: plain } = tableParts(table);
    return schema !== "rollback" && plain !== trackingTable.table;
  };
  async function* lines(from: string): AsyncGenerator<string> {
    for await (const portion of readChanges(server, database.name, from, reached)) {
      for (const change of portion.filter(({ table }) => counted(table))) {
        follow(await netOf(change.table), change);
        changes += 1;
        yield JSON.stringify(change);
      }
    }
  }
  try {
    await keepLines(place, `${salvageFolder}/${name}`, changesName(database.name), lines(slot.name));
  } catch (error) {
    if (error instanceof UnreadableChange) return { ...none, why: error.message };
    if (sqlState(error) === undefined || !(error instanceof Error)) throw error;
    return { ...none, why: `PostgreSQL says: ${error.message}` };
  }
  return {
    nets,
    whole: reached.length === lost.length,
    changes,
    reached: reached.length,
    transactions: lost.length,
    why: undefined,
  };
}

/** What is on record, and what is not, in words. Pure. */
export function describeRecord(database: string, record: ChangeRecord, wanted: boolean): string[] {
  const { whole, changes, reached, transactions, why, nets } = record;
  if (why !== undefined) {
    return wanted
      ? [`WARNING: the changes of ${database} are not on record, ${why}: its rows are kept as they stand`]
      : [];
  }
  const truncates = [...nets].filter(([, net]) => net.truncates > 0);
  const unidentified = [...nets.values()].reduce((sum, net) => sum + net.unidentified, 0);
  return [
    `${changes} changes of ${database} are kept one by one in ${changesName(database)}`,
    ...(whole
      ? []
      : [
          `WARNING: they are those of ${reached} of ${transactions} transactions; of the earlier ones rows are kept as they stand`,
        ]),
    ...truncates.map(
      ([table, net]) =>
        `${database} ${table} was emptied ${net.truncates} times (TRUNCATE): rows written before that are kept, too`,
    ),
    ...(unidentified === 0
      ? []
      : [
          `${unidentified} updates and deletes of ${database} were of rows without a key, and can be read in ${changesName(database)} only`,
        ]),
    `not among them: definitions (DDL), sequences, contents of large objects`,
  ];
}

/** A table that is gone still has its key on the other side. */
async function keyEither(
  servers: readonly Server[],
  database: string,
  table: string,
): Promise<readonly string[]> {
  for (const server of servers) {
    const key = await inDatabase(server, database, [], (client) => primaryKey(client, tableSql(table)));
    if (key.length > 0) return key;
  }
  return [];
}
