import assert from "node:assert/strict";
import { execa } from "execa";
import { ownPlace, shellIn } from "../../operations/backup/place.ts";
import { withClient } from "../../operations/database/connection.ts";
import { createSlot, dropSlot, readSlots, slotName } from "../../operations/database/slots.ts";
import { docker } from "../../operations/docker/run.ts";
import {
  chosen,
  chosenChanges,
  keepLines,
  listPacks,
  readPack,
  readPackedChanges,
} from "../../operations/recovery/pack.ts";
import { replay } from "../../operations/recovery/replay.ts";
import { salvage, type Salvaged } from "../../operations/recovery/salvage.ts";
import type { SalvagedRow } from "../../operations/recovery/salvaged.ts";
import { keepChanges } from "../../operations/recovery/slot/keep.ts";
import { parseWal, type Ending } from "../../operations/recovery/wal.ts";
import type { Database } from "../../settings/types.ts";
import { settingsOf } from "../unit/plan/fixture.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

const database: Database = {
  ...{ name: "shop", migrations: "examples/meal-planner/migrations/meal_planner", layout: "meal-planner" },
  ...{ tracking: undefined, keyTables: [], sessions: undefined, extensions: [], writers: [] },
};
const repository = { volume: "unused" };
const { cluster } = settingsOf(
  { live: { "1.2.0": 100 } },
  { "rollback:cluster": { volume: "pgdata-1", backup: { schedule: "@daily", changes: "1GB" } } },
);

describe("every change that a slot has on record", function () {
  this.timeout(120_000);
  let left: TestPostgres;
  let target: TestPostgres;

  const run = (where: TestPostgres, ...statements: string[]): Promise<Record<string, unknown>[]> =>
    withClient(where.server, "shop", async (client) => {
      let rows: Record<string, unknown>[] = [];
      for (const each of statements) ({ rows } = await client.query<Record<string, unknown>>(each));
      return rows;
    });
  /** Committed transactions since a position, as the WAL has them. */
  const lostSince = async (lsn: string): Promise<Ending[]> => {
    const [end] = await run(left, "select pg_switch_wal(), pg_current_wal_flush_lsn()::text as lsn");
    const printed = await docker([
      ...["exec", "-u", "postgres", left.container, "sh", "-c"],
      `pg_waldump -p $PGDATA/pg_wal -s ${lsn} -e ${String(end?.["lsn"])} --rmgr=Transaction 2>/dev/null || true`,
    ]);
    return parseWal(printed, 1).endings.filter(({ committed }) => committed);
  };
  const keep = async (
    name: string,
    since: string | readonly Ending[],
    tables: readonly string[],
  ): Promise<Salvaged> =>
    salvage({
      ...{ place: ownPlace(left.container, repository), server: left.server, target: target.server, name },
      ...{
        databases: [database],
        lost: typeof since === "string" ? await lostSince(since) : since,
        changes: true,
      },
      losses: tables.map((table) => ({ database: "shop", table, inserted: 1, updated: 1, deleted: 1 })),
    });
  const rowsIn = async (name: string): Promise<SalvagedRow[]> => {
    const place = ownPlace(left.container, repository);
    const pack = (await listPacks(place)).find((each) => each.name === name);
    assert.deepEqual(pack?.databases, ["shop"]);
    return chosen(await readPack(place, pack, "shop"), { tables: undefined, key: new Map() });
  };
  const changesIn = async (name: string) =>
    readPackedChanges(ownPlace(left.container, repository), { name, at: "", databases: ["shop"] }, "shop");
  const sorted = (rows: readonly SalvagedRow[]): string[] =>
    rows.map(({ table, change, row }) => `${change} ${table} ${JSON.stringify(row)}`).sort();
  const position = async (): Promise<string> =>
    String((await run(left, "select pg_current_wal_lsn()::text as lsn"))[0]?.["lsn"]);

  before(async () => {
    [left, target] = await Promise.all([startPostgres(), startPostgres()]);
    for (const { server } of [left, target])
      await withClient(server, "postgres", (client) => client.query("create database shop"));
    await run(
      left,
      "create type mood as enum ('good', 'bad')",
      `create table "Odd ""Tab" ("i d" bigint primary key, n numeric, data jsonb, tags text[], at timestamptz, ch char(4), bits bit(3), mood mood, raw bytea)`,
      "create table gone (id int primary key, name text)",
      "create table emptied (id int primary key, name text)",
      "create table meals (id int primary key, name text, note text)",
      "alter table meals alter note set storage external",
      "create table log (line text, n int)",
      "create table whole (a int, b text)",
      "alter table whole replica identity full",
      "create table silent (id int primary key, b text)",
      "alter table silent replica identity nothing",
      "create table parts (id int primary key, v int) partition by range (id)",
      "create table parts_low partition of parts for values from (0) to (100)",
      "insert into gone values (1, 'was there'), (2, 'was there')",
      "insert into emptied values (1, 'was there')",
      "insert into meals select n, 'meal ' || n, repeat(md5(n::text), 200) from generate_series(1, 4) n",
      "insert into whole values (1, 'x'), (2, null)",
      "insert into silent values (1, 'x')",
    );
    const dump = await execa("docker", ["exec", "-u", "postgres", left.container, "pg_dump", "-d", "shop"]);
    await docker(
      [
        "exec",
        "-i",
        "-u",
        "postgres",
        target.container,
        "psql",
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        "shop",
      ],
      {
        input: dump.stdout,
      },
    );
    await createSlot(left.server, "shop", "rollback_test_1", 10_000);
  });
  after(() => Promise.all([left.remove(), target.remove()]));

  it("is kept with its types, and the last state of each row as it stands in PostgreSQL", async () => {
    const since = await position();
    await run(
      left,
      `insert into "Odd ""Tab" values (9007199254740993, 1.10, '{"deep": [9007199254740993]}', '{a,"b c",null}', '2026-01-02 03:04:05.5+00', 'ab', B'101', 'bad', '\\x00ff')`,
      `update "Odd ""Tab" set n = 'NaN', ch = 'it''s'`,
      `update "Odd ""Tab" set "i d" = -1`,
    );
    await keep("types", since, ['public."Odd ""Tab"']);
    const [row] = await run(left, `select to_jsonb(t)::text as row from "Odd ""Tab" t`);
    const rows = await rowsIn("types");
    assert.deepEqual(
      rows.map(({ row: kept }) => JSON.parse(JSON.stringify(kept)) as unknown),
      [JSON.parse(String(row?.["row"]))],
    );
    assert.match(JSON.stringify(rows[0]?.row), /\[9007199254740993\]/);
    const changes = await changesIn("types");
    assert.deepEqual(
      changes.map(({ change, old, row: since2 }) => [
        change,
        JSON.stringify(old),
        JSON.stringify(since2?.["n"]),
      ]),
      [
        ["insert", undefined, "1.10"],
        ["update", undefined, '"NaN"'],
        ["update", '{"i d":9007199254740993}', '"NaN"'],
      ],
    );
  });

  it("has rows of tables that were dropped or emptied since, and what they were in between", async () => {
    const since = await position();
    await run(
      left,
      "insert into gone values (3, 'first'), (4, 'deleted again')",
      "update gone set name = 'second' where id in (1, 3)",
      "update gone set name = 'third' where id = 3",
      "delete from gone where id in (2, 4)",
      "drop table gone",
      "insert into emptied values (2, 'before')",
      "truncate emptied",
      "insert into emptied values (3, 'after')",
    );
    const { lines } = await keep("gone", since, ["(dropped or rewritten since)", "public.emptied"]);
    assert.deepEqual(sorted(await rowsIn("gone")), [
      'delete public.gone {"id":2,"name":"was there"}',
      'write public.emptied {"id":2,"name":"before"}',
      'write public.emptied {"id":3,"name":"after"}',
      'write public.gone {"id":1,"name":"second"}',
      'write public.gone {"id":3,"name":"third"}',
    ]);
    assert.match(lines.join("\n"), /^10 changes of shop are kept one by one/);
    assert.match(lines.join("\n"), /public\.emptied was emptied 1 times \(TRUNCATE\)/);
    const versions = chosenChanges(await changesIn("gone"), {
      tables: ["public.gone"],
      key: new Map([["id", "3"]]),
    });
    assert.deepEqual(
      versions.map(({ row }) => row?.["name"]),
      ["first", "second", "third"],
    );
  });

  it("tells rows without a key, of partitions, of savepoints and of two-phase commits apart", async () => {
    const since = await position();
    await run(
      left,
      "insert into log values ('one', 1), ('two', 2)",
      "update log set n = 3 where line = 'two'",
      "update whole set b = 'y' where a = 1",
      "delete from whole where a = 2",
      "update silent set b = 'y'",
      "delete from silent",
      "insert into parts values (1, 1)",
      "update parts set v = 2",
      "begin",
      "insert into parts values (2, 1)",
      "savepoint a",
      "insert into parts values (3, 1)",
      "rollback to a",
      "savepoint b",
      "insert into parts values (4, 1)",
      "commit",
      "begin",
      "insert into parts values (5, 1)",
      "prepare transaction 'two-phase'",
      "begin",
      "insert into parts values (6, 1)",
      "rollback",
      "commit prepared 'two-phase'",
    );
    const tables = ["public.log", "public.whole", "public.silent", "public.parts_low"];
    const { lines } = await keep("kinds", since, tables);
    assert.deepEqual(sorted(await rowsIn("kinds")), [
      'delete public.silent {"b":"x","id":1}',
      'write public.log {"n":1,"line":"one"}',
      'write public.log {"n":3,"line":"two"}',
      'write public.parts_low {"v":1,"id":2}',
      'write public.parts_low {"v":1,"id":4}',
      'write public.parts_low {"v":1,"id":5}',
      'write public.parts_low {"v":2,"id":1}',
      'write public.whole {"a":1,"b":"y"}',
    ]);
    assert.match(lines.join("\n"), /4 updates and deletes of shop were of rows without a key/);
    const deleted = (await changesIn("kinds")).find(
      ({ table, change }) => table === "public.whole" && change === "delete",
    );
    assert.deepEqual(deleted?.old, { a: 2 });
  });

  it("leaves long values that nobody changed as they were, also where the table is gone", async () => {
    const since = await position();
    await run(
      left,
      "update meals set name = 'renamed' where id = 1",
      "update meals set id = 10 where id = 2",
      "drop table meals",
    );
    await keep("long", since, ["(dropped or rewritten since)"]);
    const changes = await changesIn("long");
    assert.deepEqual(
      changes.map(({ row, unchanged }) => [row, unchanged]),
      [
        [{ id: 1, name: "renamed" }, ["note"]],
        [{ id: 10, name: "meal 2" }, ["note"]],
      ],
    );
    const kept = await rowsIn("long");
    const notes = await run(target, "select id, note from meals where id in (1, 2) order by id");
    assert.deepEqual(
      kept.map(({ change, row }) => [change, row["id"], row["note"]]),
      [
        ["write", 1, notes[0]?.["note"]],
        ["write", 10, notes[1]?.["note"]],
        ["delete", 2, notes[1]?.["note"]],
      ],
    );
    // And the pack can be written again where the recovery went to.
    const results = await withClient(target.server, "shop", async (client) => {
      await client.query("create role shop_owner nologin; create schema rollback");
      return replay(client, kept, { run: "r", pack: "long", overwrite: true, dryRun: false });
    });
    assert.deepEqual(
      results.map(({ inserted, updated, deleted }) => [inserted, updated, deleted]),
      [[1, 1, 1]],
    );
    assert.deepEqual(await run(target, "select id, name from meals where id in (1, 2, 10) order by id"), [
      { id: 1, name: "renamed" },
      { id: 10, name: "meal 2" },
    ]);
  });

  it("is told the same again, as nothing is taken out of the slot", async () => {
    const before = await readSlots(left.server);
    const since = String(before[0]?.from);
    const { lines } = await keep("again", since, ["public.log"]);
    assert.match(lines[0] ?? "", /^\d+ changes of shop are kept one by one/);
    assert.deepEqual(
      (await readSlots(left.server)).map(({ from }) => from),
      before.map(({ from }) => from),
    );
  });

  it("is taken from as far back as the slot reaches, and rows as they stand from before it", async () => {
    const since = await position();
    await run(
      left,
      "create table early (id int primary key, v text)",
      "insert into early values (1, 'early'), (2, 'both')",
    );
    await createSlot(left.server, "shop", "rollback_test_2", 10_000);
    assert.equal(await dropSlot(left.server, "rollback_test_1"), true);
    await run(
      left,
      "update early set v = 'late' where id = 2",
      "insert into early values (3, 'late')",
      "delete from early where id = 3",
    );
    const { lines } = await keep("partly", since, ["public.early"]);
    assert.deepEqual(sorted(await rowsIn("partly")), [
      'write public.early {"v":"early","id":1}',
      'write public.early {"v":"late","id":2}',
    ]);
    assert.match(lines.join("\n"), /WARNING: they are those of 3 of \d+ transactions/);
  });

  it("is said not to be there once more WAL was written than may be held back; rows are kept all the same", async () => {
    const since = await position();
    await run(left, "alter system set max_slot_wal_keep_size = '64MB'", "select pg_reload_conf()");
    await run(left, "insert into log values ('before the flood', 9)");
    const lost = await lostSince(since);
    for (let n = 0; n < 6; n += 1)
      await run(
        left,
        "select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 17)",
        "select pg_switch_wal()",
      );
    await run(left, "checkpoint");
    assert.deepEqual(
      (await readSlots(left.server)).map(({ status }) => status),
      ["lost"],
    );
    const { rows, lines } = await keep("lost", lost, ["public.log"]);
    assert.equal(rows, 1);
    assert.match(
      lines.join("\n"),
      /WARNING: the changes of shop are not on record, more WAL was written than may be held back/,
    );
    assert.deepEqual(
      (await rowsIn("lost")).map(({ row }) => row["line"]),
      ["before the flood"],
    );
  });

  it("begins although a transaction stays open or all slots are taken, or says so and leaves the one before", async () => {
    for (const { name } of await readSlots(left.server)) await dropSlot(left.server, name);
    const said: string[] = [];
    const begin = async (run_: string, fresh = true): Promise<string> => {
      said.length = 0;
      const common = { server: left.server, settings: { cluster }, databases: ["shop"], session: {} };
      await keepChanges({ ...common, run: run_, say: (line) => said.push(line), patience: 500 }, fresh);
      return said.join("\n");
    };
    const names = async (): Promise<string[]> => (await readSlots(left.server)).map(({ name }) => name);
    assert.match(await begin("one"), /every change of shop is on record/);
    assert.match(await begin("two"), /every change of shop is on record/);
    assert.equal(await begin("three", false), "", "there is one");
    assert.deepEqual(await names(), [slotName("shop", "one"), slotName("shop", "two")]);

    await run(left, "begin", "insert into log values ('open', 1)", "prepare transaction 'open'");
    assert.match(
      await begin("four"),
      /WARNING: no new record .* the one before goes on: PostgreSQL waits for a transaction/,
    );
    assert.deepEqual(await names(), [slotName("shop", "one"), slotName("shop", "two")]);
    await run(left, "rollback prepared 'open'");

    for (let n = 0; n < 8; n += 1)
      await run(left, `select pg_create_physical_replication_slot('taken_${String(n)}')`);
    assert.match(await begin("five"), /every change of shop is on record/);
    assert.deepEqual(await names(), [slotName("shop", "two"), slotName("shop", "five")]);
    await dropSlot(left.server, slotName("shop", "two"));
    await run(left, "select pg_create_physical_replication_slot('taken_8')");
    assert.match(await begin("six"), /the one before goes on: all replication slots are in use/);
    assert.deepEqual(await names(), [slotName("shop", "five")]);
  });

  it("is kept whole or not at all: a list that breaks off leaves no file", async () => {
    const place = ownPlace(left.container, repository);
    async function* broken(): AsyncGenerator<string> {
      yield await Promise.resolve("a line");
      throw new Error("the server went away");
    }
    await assert.rejects(
      keepLines(place, "/var/lib/dumps/salvage/broken", "shop.jsonl", broken()),
      /went away/,
    );
    assert.equal(await shellIn(place, 'sleep 0.3; ls "$1"', ["/var/lib/dumps/salvage/broken"]), "");
  });
});
