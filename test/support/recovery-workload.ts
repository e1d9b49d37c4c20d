import { Client } from "pg";
import { endsSince, parsePosition, type End } from "./recovery-positions.ts";
import type { ScratchStack } from "./stack.ts";

type Database = "meal_planner" | "mealie";

/** What a transaction did, as far as the state afterwards shows it. */
type Effect =
  | { readonly kind: "put"; readonly id: string; readonly note: string }
  | { readonly kind: "delete"; readonly id: string }
  | { readonly kind: "add"; readonly account: string; readonly amount: number };

/** A commit that PostgreSQL acknowledged, as the client saw it, and where and when it took place. */
export interface Acknowledged {
  readonly label: string;
  readonly batch: number;
  readonly database: Database;
  readonly xid: string;
  readonly effects: readonly Effect[];
  /** Start of its commit record. */
  readonly lsn: bigint;
  /** UTC with microseconds and `+00`. */
  readonly time: string;
}

/** What a database held or is to hold: rows by id, balances by account. */
export type State = Readonly<Record<Database, Readonly<Record<string, string>>>>;

interface Pending extends Omit<Acknowledged, "lsn" | "time"> {
  readonly lsn?: undefined;
}

export interface Prepared {
  readonly gid: string;
  readonly lsn: bigint;
  readonly time: string;
  readonly xid: string;
}

/** Positions and names that a batch leaves beside its commits. */
export interface Batch {
  readonly number: number;
  /** Name → position. */
  readonly points: ReadonlyMap<string, bigint>;
  readonly places: ReadonlyMap<string, bigint>;
  /** First phase of the batch's two-phase commit, in `mealie`. */
  readonly prepared: Prepared;
  /** Transaction ids that were never committed by themselves. */
  readonly xids: ReadonlyMap<string, string>;
  readonly commits: readonly Acknowledged[];
}

export const databases: readonly Database[] = ["meal_planner", "mealie"];

const schema = `
  create schema workload;
  create table workload.entry (id text primary key, note text, object oid);
  create table workload.account (name text primary key, balance bigint not null);
  create sequence workload.counter;
  insert into workload.account values ('one', 0), ('two', 0);`;

/** Makes the tables, apart from those of the application; and what tells positions. */
export async function createWorkload(stack: ScratchStack): Promise<void> {
  for (const database of databases) await stack.query(database, schema);
  await stack.query("postgres", "create extension if not exists pg_walinspect");
}

/**
 * Writes one batch of known transactions of every kind into both databases, one after the other but for those that are meant to
 * overlap, and returns what was acknowledged in the order of the commits.
 */
export async function writeBatch(stack: ScratchStack, number: number): Promise<Batch> {
  const [a, b, admin, second] = await Promise.all([
    connect(stack, "meal_planner"),
    connect(stack, "mealie"),
    connect(stack, "postgres"),
    connect(stack, "meal_planner"),
  ]);
  try {
    return await write(number, { a, b, admin, second });
  } finally {
    await Promise.all([a, b, admin, second].map((client) => client.end()));
  }
}

interface Clients {
  readonly a: Client;
  readonly b: Client;
  readonly admin: Client;
  readonly second: Client;
}

async function write(batch: number, { a, b, admin, second }: Clients): Promise<Batch> {
  const pending: Pending[] = [];
  const points = new Map<string, bigint>();
  const places = new Map<string, bigint>();
  const xids = new Map<string, string>();
  const id = (label: string): string => `${batch}-${label}`;
  const current = async (): Promise<bigint> =>
    parsePosition(await one(admin, "select pg_current_wal_insert_lsn()::text"));
  const place = async (name: string): Promise<void> => void places.set(name, await current());
  const point = async (name: string): Promise<void> =>
    void points.set(
      name,
      parsePosition(await one(admin, `select pg_create_restore_point('${name}-${batch}')::text`)),
    );
  const acknowledged = (label: string, database: Database, xid: string, effects: readonly Effect[]): void =>
    void pending.push({ label, batch, database, xid, effects });
  const put = (label: string, note = label): Effect => ({ kind: "put", id: id(label), note });
  const commit = async (
    client: Client,
    label: string,
    sql: string,
    effects: readonly Effect[] = [put(label)],
  ): Promise<void> => {
    await client.query(`begin; ${sql}`);
    const xid = await one(client, "select pg_current_xact_id()::text");
    await client.query("commit");
    acknowledged(label, client === b ? "mealie" : "meal_planner", xid, effects);
  };
  const insert = (label: string, note = label): string =>
    `insert into workload.entry values ('${id(label)}', '${note}')`;

  const start = await current();
  await commit(a, "first", insert("first"));
  await commit(a, "insert", insert("insert"));
  await commit(b, "mealie", insert("mealie"));
  await commit(a, "update", "update workload.account set balance = balance + 7 where name = 'one'", [
    { kind: "add", account: "one", amount: 7 },
  ]);
  await point("middle");
  await a.query(
    `begin; ${insert("savepoint")}; savepoint s; ${insert("taken-back")}; rollback to s; savepoint t; ${insert("inner")}; update workload.account set balance = balance - 1 where name = 'two'`,
  );
  xids.set(
    "subtransaction",
    await one(a, "select xmin::text from workload.entry where id = $1", [id("inner")]),
  );
  const xid = await one(a, "select pg_current_xact_id()::text");
  await a.query("commit");
  acknowledged("savepoint", "meal_planner", xid, [
    ...[put("savepoint"), put("inner")],
    { kind: "add", account: "two", amount: -1 },
  ]);
  await a.query(`begin; ${insert("aborted")}`);
  xids.set("aborted", await one(a, "select pg_current_xact_id()::text"));
  await a.query("rollback");
  await commit(a, "delete", `delete from workload.entry where id = '${id("insert")}'`, [
    { kind: "delete", id: id("insert") },
  ]);

  // Prepared here, committed some transactions later.
  await b.query(`begin; ${insert("prepared")}`);
  const prepared = await one(b, "select pg_current_xact_id()::text");
  await b.query(`prepare transaction 'app-${batch}'`);
  await commit(a, "between", insert("between"));
  await b.query(`commit prepared 'app-${batch}'`);
  acknowledged("prepared", "mealie", prepared, [put("prepared")]);

  // The one that began first is committed last, and a restore point lies within both.
  await a.query(`begin; ${insert("overlapping-first")}`);
  const early = await one(a, "select pg_current_xact_id()::text");
  await second.query(`begin; ${insert("overlapping-second")}`);
  const late = await one(second, "select pg_current_xact_id()::text");
  await point("within");
  await second.query("commit");
  acknowledged("overlapping-second", "meal_planner", late, [put("overlapping-second")]);
  await a.query("commit");
  acknowledged("overlapping-first", "meal_planner", early, [put("overlapping-first")]);

  await commit(
    a,
    "object",
    `insert into workload.entry values ('${id("object")}', 'object', lo_from_bytea(0, convert_to('contents ${batch}', 'UTF8')))`,
    [put("object", `contents ${batch}`)],
  );
  await commit(
    b,
    "sequence",
    `insert into workload.entry select '${id("sequence")}', 'sequence' from nextval('workload.counter')`,
  );
  await place("before switch");
  await admin.query("select pg_switch_wal()");
  await commit(a, "switched", insert("switched"));
  await commit(a, "last", insert("last"));
  await point("end");
  const ends = await endsSince(admin, start);
  const first = ends.find(({ kind, xid: each }) => kind === "PREPARE" && each === prepared);
  if (first === undefined) throw new Error("the WAL does not have the first phase");
  return {
    ...{ number: batch, points, places, xids, commits: located(ends, pending) },
    prepared: { ...first, gid: `app-${batch}` },
  };
}

/** Where and when each was committed. */
function located(ends: readonly End[], pending: readonly Pending[]): Acknowledged[] {
  const commits = new Map(ends.filter(({ kind }) => kind !== "PREPARE").map((end) => [end.xid, end]));
  return pending
    .map((each) => {
      const end = commits.get(each.xid);
      if (end === undefined) throw new Error(`the WAL has no commit of ${each.label} (${each.xid})`);
      return { ...each, lsn: end.lsn, time: end.time };
    })
    .sort((one, other) => (one.lsn < other.lsn ? -1 : 1));
}

/** What both databases hold after these commits, beginning with `start`. Pure. */
export function stateAfter(start: State, commits: readonly Acknowledged[]): State {
  const state = Object.fromEntries(databases.map((name) => [name, { ...start[name] }])) as Record<
    Database,
    Record<string, string>
  >;
  for (const { database, effects } of commits) {
    const rows = state[database];
    for (const effect of effects) {
      if (effect.kind === "put") rows[effect.id] = effect.note;
      else if (effect.kind === "delete") Reflect.deleteProperty(rows, effect.id);
      else rows[`= ${effect.account}`] = String(Number(rows[`= ${effect.account}`]) + effect.amount);
    }
  }
  return state;
}

/** What both databases hold. */
export async function readState(stack: ScratchStack): Promise<State> {
  const read = async (database: Database): Promise<Record<string, string>> => {
    const rows = await stack.query(
      database,
      `select id, case when object is null then note else convert_from(lo_get(object), 'UTF8') end as note from workload.entry
       union all select '= ' || name, balance::text from workload.account`,
    );
    return Object.fromEntries(rows.map(({ id, note }) => [String(id), String(note)]));
  };
  const [planner, mealie] = await Promise.all(databases.map(read));
  return { meal_planner: planner ?? {}, mealie: mealie ?? {} };
}

async function connect(stack: ScratchStack, database: string): Promise<Client> {
  const client = new Client({ ...stack.server, ssl: false, database });
  await client.connect();
  return client;
}

async function one(client: Client, sql: string, values: readonly unknown[] = []): Promise<string> {
  const { rows } = await client.query<unknown[]>({ text: sql, values: [...values], rowMode: "array" });
  return String(rows[0]?.[0]);
}
