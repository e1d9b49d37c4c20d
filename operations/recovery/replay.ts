import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { tableSql } from "../../settings/identifiers.ts";
import { sqlState } from "../database/errors.ts";
import { advanceSequences } from "../database/sequences.ts";
import { identifier, inTransaction, rowOf, rowsOf } from "../database/query.ts";
import { ensureLedger } from "../migrations/ledger/ensure.ts";
import { appendEvent } from "../migrations/ledger/write.ts";
import type { SalvagedRow } from "./salvaged.ts";

export interface ReplayOptions {
  /** Name of this act in `rollback.event`. */
  readonly run: string;
  /** The pack: what was written after its recovery is not written over. */
  readonly pack: string;
  /** Also over what was written since. */
  readonly overwrite: boolean;
  /** Looks what would happen, and changes nothing. */
  readonly dryRun: boolean;
}

/** What became of the rows of one table. */
export interface Replayed {
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Were as the pack has them already, or are gone already. */
  readonly same: number;
  /** Keys of rows that were written since the recovery, and stay as they are. */
  readonly conflicts: readonly unknown[];
}

/**
 * Writes rows of a pack again, in one transaction: what is not there is inserted, what has not been touched since the recovery is
 * updated or deleted, and what has been is a conflict. Tables that are referred to come first, and lose their rows last.
 * `client` is connected as the operator. Refuses `SALVAGE_FAILED` with PostgreSQL's words.
 */
export async function replay(
  client: ClientBase,
  rows: readonly SalvagedRow[],
  options: ReplayOptions,
): Promise<Replayed[]> {
  await ensureLedger(client);
  const since = await recoveredAt(client, options.pack);
  const results = new Map<string, Replayed>();
  const add = (table: string, more: Partial<Replayed>): void => {
    const old = results.get(table) ?? { table, inserted: 0, updated: 0, deleted: 0, same: 0, conflicts: [] };
    results.set(table, {
      table,
      inserted: old.inserted + (more.inserted ?? 0),
      updated: old.updated + (more.updated ?? 0),
      deleted: old.deleted + (more.deleted ?? 0),
      same: old.same + (more.same ?? 0),
      conflicts: [...old.conflicts, ...(more.conflicts ?? [])],
    });
  };
  const done = new Error("a dry run ends in a rollback");
  try {
    await inTransaction(client, async () => {
      const order = await parentsFirst(client, [...new Set(rows.map(({ table }) => table))]);
      for (const table of order)
        add(table, await writeRows(client, table, ofTable(rows, table, "write"), since, options));
      for (const table of order.toReversed())
        add(table, await deleteRows(client, table, ofTable(rows, table, "delete"), since, options));
      if (options.dryRun) throw done;
      await advanceSequences(client, order.map(tableSql));
      const details = [...results.values()].map(({ conflicts, ...counts }) => ({
        ...counts,
        conflicts: conflicts.length,
      }));
      await appendEvent(client, options.run, "salvage", { pack: options.pack, tables: details });
    });
  } catch (error) {
    if (error !== done) throw failed(error);
  }
  return [...results.values()];
}

function ofTable(
  rows: readonly SalvagedRow[],
  table: string,
  change: SalvagedRow["change"],
): SalvagedRow["row"][] {
  return rows.filter((each) => each.table === table && each.change === change).map(({ row }) => row);
}

/** When the recovery was that left the pack; undefined: nobody knows, so that everything that differs is a conflict. */
async function recoveredAt(client: ClientBase, pack: string): Promise<string | undefined> {
  const rows = await rowsOf(
    client,
    z.object({ at: z.string() }),
    "select at::text from rollback.event where kind = 'recovered' and run = $1 order by id desc limit 1",
    [pack],
  );
  return rows[0]?.at;
}

/** A row of the pack beside the row that is there now. */
const comparedSchema = z.object({
  n: z.coerce.number(),
  absent: z.boolean(),
  same: z.boolean(),
  touched: z.boolean(),
});

async function compare(
  client: ClientBase,
  table: string,
  key: readonly string[],
  rows: readonly SalvagedRow["row"][],
  since: string | undefined,
): Promise<z.output<typeof comparedSchema>[]> {
  const sql = tableSql(table);
  const on =
    key.length === 0
      ? "to_jsonb(t) @> p.row"
      : key.map((column) => `t.${identifier(column)} = r.${identifier(column)}`).join(" and ");
  return rowsOf(
    client,
    comparedSchema,
    `select distinct on (p.n) p.n, t.ctid is null as absent, coalesce(to_jsonb(t) @> p.row, false) as same,
            $2::timestamptz is null or coalesce(pg_xact_commit_timestamp(t.xmin) > $2::timestamptz, false) as touched
       from jsonb_array_elements($1::jsonb) with ordinality p(row, n)
            cross join lateral jsonb_populate_record(null::${sql}, p.row) r left join ${sql} t on ${on}
      order by p.n`,
    [JSON.stringify(rows), since ?? null],
  );
}

async function writeRows(
  client: ClientBase,
  table: string,
  rows: readonly SalvagedRow["row"][],
  since: string | undefined,
  { overwrite }: ReplayOptions,
): Promise<Partial<Replayed>> {
  if (rows.length === 0) return {};
  const { key, columns } = await shapeOf(client, table);
  const compared = await compare(client, table, key, rows, since);
  const differs = compared.filter(({ absent, same }) => !absent && !same);
  const conflicts = overwrite ? [] : differs.filter(({ touched }) => touched);
  const updated = differs.filter((each) => !conflicts.includes(each));
  const inserted = compared.filter(({ absent }) => absent);
  const wanted = [...inserted, ...updated].map(({ n }) => rows[n - 1] ?? {});
  const first = rows[0] ?? {};
  const list = columns.filter((column) => column in first).map(identifier);
  const others = columns.filter((column) => column in first && !key.includes(column)).map(identifier);
  const change =
    key.length === 0
      ? ""
      : `on conflict (${key.map(identifier).join(", ")}) do ${others.length === 0 ? "nothing" : `update set ${others.map((name) => `${name} = excluded.${name}`).join(", ")}`}`;
  if (wanted.length > 0) {
    await client.query(
      `insert into ${tableSql(table)} (${list.join(", ")}) overriding system value
       select ${list.join(", ")} from jsonb_populate_recordset(null::${tableSql(table)}, $1::jsonb) ${change}`,
      [JSON.stringify(wanted)],
    );
  }
  return {
    ...{ inserted: inserted.length, updated: updated.length },
    same: compared.filter(({ same }) => same).length,
    conflicts: conflicts.map(({ n }) => keyOf(key, rows[n - 1] ?? {})),
  };
}

async function deleteRows(
  client: ClientBase,
  table: string,
  rows: readonly SalvagedRow["row"][],
  since: string | undefined,
  { overwrite }: ReplayOptions,
): Promise<Partial<Replayed>> {
  if (rows.length === 0) return {};
  const { key } = await shapeOf(client, table);
  const compared = await compare(client, table, key, rows, since);
  const there = compared.filter(({ absent }) => !absent);
  const conflicts = overwrite ? [] : there.filter(({ same, touched }) => !same && touched);
  const wanted = there.filter((each) => !conflicts.includes(each)).map(({ n }) => rows[n - 1] ?? {});
  if (wanted.length > 0 && key.length > 0) {
    await client.query(
      `delete from ${tableSql(table)} t using jsonb_populate_recordset(null::${tableSql(table)}, $1::jsonb) r
        where ${key.map((column) => `t.${identifier(column)} = r.${identifier(column)}`).join(" and ")}`,
      [JSON.stringify(wanted)],
    );
  }
  return {
    deleted: wanted.length,
    same: compared.length - there.length,
    conflicts: conflicts.map(({ n }) => keyOf(key, rows[n - 1] ?? {})),
  };
}

function keyOf(key: readonly string[], row: SalvagedRow["row"]): unknown {
  return key.length === 0 ? row : Object.fromEntries(key.map((column) => [column, row[column]]));
}

/** Primary key and columns that can be written. A table that is gone is refused. */
async function shapeOf(
  client: ClientBase,
  table: string,
): Promise<{ readonly key: readonly string[]; readonly columns: readonly string[] }> {
  const { columns, key } = await rowOf(
    client,
    z.object({ columns: z.array(z.string()).nullable(), key: z.array(z.string()).nullable() }),
    `select array_agg(a.attname::text order by a.attnum) filter (where a.attgenerated = '') as columns,
            array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum)) filter (where a.attnum = any(i.indkey)) as key
       from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
      where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped`,
    [tableSql(table)],
  );
  if (columns !== null) return { key: key ?? [], columns };
  throw new Refusal({
    code: "SALVAGE_FAILED",
    found: `there is no table ${table} here.`,
    untouched: "Nothing was written: it is one transaction.",
    next: "Leave it out:  --table OTHER",
  });
}

/** Tables in an order in which a foreign key finds the row it refers to; those that refer to one another in a circle as they come. */
async function parentsFirst(client: ClientBase, tables: readonly string[]): Promise<string[]> {
  const references = await rowsOf(
    client,
    z.object({ child: z.string(), parent: z.string() }),
    `select child.name as child, parent.name as parent
       from pg_constraint c join unnest($1::text[], $2::text[]) child(name, sql) on c.conrelid = to_regclass(child.sql)
            join unnest($1::text[], $2::text[]) parent(name, sql) on c.confrelid = to_regclass(parent.sql)
      where c.contype = 'f'`,
    [tables, tables.map(tableSql)],
  );
  const order: string[] = [];
  const visited = new Set<string>();
  const visit = (table: string): void => {
    if (visited.has(table)) return;
    visited.add(table);
    for (const { child, parent } of references) if (child === table) visit(parent);
    order.push(table);
  };
  for (const table of tables) visit(table);
  return order;
}

function failed(error: unknown): unknown {
  if (error instanceof Refusal || sqlState(error) === undefined) return error;
  return new Refusal({
    code: "SALVAGE_FAILED",
    found: `PostgreSQL says: ${error instanceof Error ? error.message : String(error)}`,
    untouched: "Nothing was written: it is one transaction.",
    next: "Choose other rows with --table and --key; what a row refers to must be chosen, too.",
    cause: error,
  });
}
