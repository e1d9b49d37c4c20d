import { identify, outcome, type Net } from "./slot/net.ts";

/** A row by its columns, values as `to_jsonb` has them. */
type Row = Readonly<Record<string, unknown>>;

/** One row that a recovery leaves out. */
export interface SalvagedRow {
  readonly database: string;
  readonly table: string;
  /** `write`: inserted or updated, with what it holds now; `delete`: with what it held. */
  readonly change: "write" | "delete";
  readonly row: Readonly<Record<string, unknown>>;
}

/** What a salvage has of one table. */
export interface TableRows {
  /** Primary key; empty: the table has none. */
  readonly key: readonly string[];
  /** Rows inserted or updated, as they were last. */
  readonly written: readonly Row[];
  /** Rows deleted, as they were before. */
  readonly deleted: readonly Row[];
}

/** What the changes on record come to, with whole rows. */
export interface Recorded {
  readonly net: Net;
  /** Rows of `outcome(net).gone` in full; those that the target has not are left out. */
  readonly deleted: readonly Row[];
  /** Columns that no change told of, by the identity of the row. */
  readonly filled: ReadonlyMap<string, Row>;
}

/**
 * Rows as they stand and changes on record, put together. `stands`: undefined where the table is gone. `whole`: every
 * transaction is on record; else what only one of the two knows of is taken from that. Pure.
 */
export function putTogether(
  stands: TableRows | undefined,
  recorded: Recorded | undefined,
  whole: boolean,
): TableRows {
  const nothing: TableRows = { key: recorded?.net.key ?? [], written: [], deleted: [] };
  if (recorded === undefined) return stands ?? nothing;
  const { net, deleted, filled } = recorded;
  const { key } = net;
  // Which of the rows on record a later update or delete meant cannot be told; those that stand can be.
  if (stands !== undefined && net.truncates === 0 && !followed(net)) return stands;
  if (key.length === 0) {
    const seen = new Set(net.loose.map((row) => JSON.stringify(row)));
    const others = (stands?.written ?? []).filter((row) => !seen.has(JSON.stringify(row)));
    return { key, written: [...net.loose, ...others], deleted: [] };
  }
  const standing = new Map((stands?.written ?? []).map((row) => [identify(key, row), row]));
  const { written } = outcome(net);
  const rows = [...written].map(([id, { row }]) => standing.get(id) ?? { ...filled.get(id), ...row });
  if (whole && followed(net)) return { key, written: rows, deleted };
  const onRecord = new Set([...written.keys(), ...deleted.map((row) => identify(key, row))]);
  const unrecorded = (row: Row): boolean => !onRecord.has(identify(key, row));
  return {
    key,
    written: [...rows, ...(stands?.written ?? []).filter(unrecorded)],
    deleted: [...deleted, ...(stands?.deleted ?? []).filter(unrecorded)],
  };
}

/** Whether every change of the table tells which row it meant. Pure. */
export function followed(net: Net): boolean {
  return net.key.length > 0 && net.unidentified === 0;
}
