import type { ClientBase } from "pg";
import { z } from "zod";
import type { Server } from "../../database/connection.ts";
import { close, connect } from "../../database/connection.ts";
import { sqlState } from "../../database/errors.ts";
import { identifier, literal, rowsOf } from "../../database/query.ts";
import { parseExactly } from "../exact-json.ts";
import type { Ending } from "../wal.ts";
import { decode, type Decoded, type DecodedColumn } from "./decode.ts";

/** A row by its columns, values as `to_jsonb` has them. */
export type Row = Readonly<Record<string, unknown>>;

/** One change as it happened, in the order of the commits. */
export interface Change {
  readonly xid: string;
  /** When its transaction was committed, with its zone. */
  readonly at: string;
  readonly table: string;
  readonly change: Decoded["change"];
  /** What identified the row before, if that is on record and is not what `row` says. */
  readonly old?: Row;
  readonly row?: Row;
  /** Columns with long values that an update left alone. */
  readonly unchanged?: readonly string[];
}

/** Changes that are fetched at once. */
const portion = 500;

/**
 * The changes that a slot has of these transactions, a portion at a time. The slot is only looked into and tells the same again,
 * also after a kill. Errors of PostgreSQL pass through: a slot may have been given up meanwhile.
 */
export async function* readChanges(
  server: Server,
  database: string,
  slot: string,
  transactions: readonly Ending[],
): AsyncGenerator<Change[]> {
  const times = new Map(transactions.map(({ xid, time }) => [xid, `${time}+00`]));
  const channel = await connections(server, database);
  try {
    const { reader, typist } = channel;
    await reader.query("begin read only");
    // What is decoded waits in a file of the server's, and not in the memory of this program.
    await reader.query(
      `declare changes no scroll cursor for
         select xid::text as xid, data from pg_logical_slot_peek_changes(${literal(slot)}, null, null, 'skip-empty-xacts', 'on')
          where data like 'table %'`,
    );
    for (;;) {
      const lines = await rowsOf(reader, lineSchema, `fetch forward ${portion} from changes`);
      if (lines.length === 0) return;
      const wanted = lines.flatMap(({ xid, data }) => {
        const at = times.get(xid);
        const change = at === undefined ? undefined : decode(data);
        return at === undefined || change === undefined ? [] : [{ xid, at, change }];
      });
      if (wanted.length > 0) yield await typed(typist, wanted);
    }
  } finally {
    await channel.close();
  }
}

const lineSchema = z.object({ xid: z.string(), data: z.string() });

interface Wanted {
  readonly xid: string;
  readonly at: string;
  readonly change: Decoded;
}

/** Two, as an error while types are looked up must not end the transaction in which changes are fetched. */
async function connections(
  server: Server,
  database: string,
): Promise<{
  readonly reader: ClientBase;
  readonly typist: ClientBase;
  readonly close: () => Promise<void>;
}> {
  const reader = await connect(server, database);
  try {
    const typist = await connect(server, database);
    return {
      ...{ reader, typist },
      close: async () => {
        await Promise.all([close(reader), close(typist)]);
      },
    };
  } catch (error) {
    await close(reader);
    throw error;
  }
}

async function typed(client: ClientBase, wanted: readonly Wanted[]): Promise<Change[]> {
  const tuples = wanted.flatMap(({ change }) =>
    change.change === "truncate" ? [] : [change.old, change.row].filter((each) => each !== undefined),
  );
  const rows = await rowsFrom(client, tuples);
  const rowOf = (tuple: readonly DecodedColumn[] | undefined): Row | undefined =>
    tuple === undefined ? undefined : rows.get(tuple);
  return wanted.flatMap(({ xid, at, change }): Change[] => {
    if (change.change === "truncate")
      return change.tables.map((table) => ({ xid, at, table, change: "truncate" }));
    const [old, row] = [rowOf(change.old), rowOf(change.row)];
    const unchanged = (change.row ?? []).flatMap(({ name, value }) => (value === undefined ? [name] : []));
    return [
      {
        ...{ xid, at, table: change.table, change: change.change },
        ...(old === undefined ? {} : { old }),
        ...(row === undefined ? {} : { row }),
        ...(unchanged.length === 0 ? {} : { unchanged }),
      },
    ];
  });
}

type Tuple = readonly DecodedColumn[];

/** Texts as values of their types, the way `to_jsonb` has them; rows of the same columns go in one query. */
async function rowsFrom(client: ClientBase, tuples: readonly Tuple[]): Promise<ReadonlyMap<Tuple, Row>> {
  const shapes = new Map<string, Tuple[]>();
  for (const tuple of tuples) {
    const shape = JSON.stringify(known(tuple).map(({ name, type }) => [name, type]));
    shapes.set(shape, [...(shapes.get(shape) ?? []), tuple]);
  }
  const rows = new Map<Tuple, Row>();
  for (const alike of shapes.values()) {
    const made = await rowsOfShape(client, alike);
    alike.forEach((tuple, n) => rows.set(tuple, made[n] ?? {}));
  }
  return rows;
}

async function rowsOfShape(client: ClientBase, tuples: readonly Tuple[]): Promise<Row[]> {
  const columns = known(tuples[0] ?? []);
  const values = tuples.map((tuple) => known(tuple).map(({ value }) => value ?? null));
  const list = columns.map(({ name, type }, n) => `(v->>${n})::${castType(type)} as ${identifier(name)}`);
  try {
    const rows = await rowsOf(
      client,
      z.object({ row: z.string() }),
      `select to_jsonb(x)::text as row from jsonb_array_elements($1::jsonb) with ordinality e(v, n)
              cross join lateral (select ${list.join(", ")}) x order by e.n`,
      [JSON.stringify(values)],
    );
    return rows.map(({ row }) => rowSchema.parse(parseExactly(row)));
  } catch (error) {
    // A type that is gone or was changed since: the texts are what PostgreSQL reads rows from as well.
    if (sqlState(error) === undefined) throw error;
    return tuples.map((tuple) =>
      Object.fromEntries(known(tuple).map(({ name, type, value }) => [name, asText(type, value)])),
    );
  }
}

const rowSchema = z.record(z.string(), z.unknown());

function known(tuple: Tuple): DecodedColumn[] {
  return tuple.filter(({ value }) => value !== undefined);
}

function asText(type: string, value: DecodedColumn["value"]): unknown {
  if (value == null) return null;
  return type === "json" || type === "jsonb" ? parseExactly(value) : value;
}

/** Of these two a name without a length means the length 1 in a cast, and would cut values off. Pure. */
export function castType(type: string): string {
  return type.replace(/^character(?=$|\[)/, "bpchar").replace(/^bit(?=$|\[)/, '"bit"');
}
