import assert from "node:assert/strict";
import { inServer } from "../../operations/archive/pgbackrest.ts";
import { findDamage, type DamageQuery, type Suspect } from "../../operations/recovery/find/find.ts";
import { findKey, type KeyQuery } from "../../operations/recovery/find/key.ts";
import { justBefore } from "../../operations/recovery/find/propose.ts";
import { scanSince, type Scan } from "../../operations/recovery/find/scan.ts";
import { readWal } from "../../operations/recovery/read.ts";
import { readerShell, withServerReader } from "../../operations/recovery/reader.ts";
import { segmentName } from "../../operations/recovery/segments.ts";
import { parseLsn } from "../../operations/recovery/wal.ts";
import { removeLook } from "../../operations/recovery/look/place.ts";
import { withLook, type LookSession } from "../../operations/recovery/look/session.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

describe("finding the moment before the damage", function () {
  this.timeout(180_000);
  let server: ArchivedServer;
  /** Transaction by what it did. */
  const xids = new Map<string, string>();

  const search = <T>(work: (session: LookSession, scan: Scan) => Promise<T>): Promise<T> =>
    withLook(
      server.settings,
      "find",
      () => undefined,
      async (session) => {
        try {
          return await work(session, await scanSince(session.archive, Date.now()));
        } finally {
          await removeLook(session.place);
        }
      },
    );
  const key = (id: string): KeyQuery => ({ database: "mealie", table: "meals", key: new Map([["id", id]]) });
  const about = (more: object): DamageQuery => ({ database: "mealie", quick: true, ...more });

  before(async () => {
    server = await startArchivedServer();
    await server.query(
      "mealie",
      "create table meals (id int primary key, name text)",
      "create table notes (id int primary key)",
      "create table doomed (id int primary key, t text)",
      "insert into meals select n, 'meal ' || n from generate_series(1, 100) n",
      "insert into notes select generate_series(1, 30)",
      "insert into doomed select generate_series(1, 7)",
    );
    // The search begins where a base backup is complete: with all this in it.
    await inServer(server.container, "backup", ["--type=full"]);
    await remember("update", "update meals set name = 'better' where id = 5");
    await remember("few", "delete from meals where id > 98");
    await server.query("mealie", "begin", "delete from meals", "rollback");
    await remember("rewrite", "alter table meals alter id type bigint");
    await remember("again", "update meals set name = 'worse' where id = 5");
    await remember("many", "delete from meals where id > 10");
    await remember("truncate", "truncate notes");
    await remember("drop", "drop table doomed");
    await remember("later", "insert into notes values (1)");
  });
  after(() => server.cleanup());

  async function remember(what: string, sql: string): Promise<void> {
    await server.query("mealie", "create table if not exists said (what text, xid text)");
    await server.query(
      "mealie",
      `begin; ${sql}; insert into said values ('${what}', pg_current_xact_id()::text); commit`,
    );
    const [row] = await server.query("mealie", `select xid from said where what = '${what}'`);
    xids.set(what, String(row?.["xid"]));
  }
  const named = (suspects: readonly Suspect[]): (string | undefined)[] =>
    suspects.map(({ ending }) => [...xids].find(([, xid]) => xid === ending.xid)?.[0]);

  // One session for all of it, in the order of time: an instance that moves on need not be restored.
  it("follows a row through updates and a rewrite of its table, past what was rolled back", async () => {
    await search(async (session, scan) => {
      await assert.rejects(findKey(session, scan, key("500")), (error) => isRefusal(error, "FIND_NOTHING"));
      const { suspects, held } = await findKey(session, scan, key("5"));
      assert.deepEqual(named(suspects), ["update", "again"]);
      assert.deepEqual(held, { id: 5, name: "better" });
    });
  });

  it("names what was dropped, truncated and deleted, the worst first, with the names of tables that are gone", async () => {
    await search(async (session, scan) => {
      const found = await findDamage(session, scan, about({ quick: false }));
      assert.deepEqual(named(found), ["drop", "truncate", "many", "few"]);
      assert.deepEqual(
        found.map(({ table, what, before }) => [table, what, before]),
        [
          ["public.doomed", "dropped", 7],
          ["public.notes", "truncated", undefined],
          ["public.meals", "88 deleted, 0 updated, 0 inserted", undefined],
          ["public.meals", "2 deleted, 0 updated, 0 inserted", undefined],
        ],
      );
      const [truncated] = await findDamage(session, scan, about({ table: "notes", quick: true }));
      assert.ok(truncated);
      const { lsn, kept, configuration } = justBefore(truncated.ending, scan.contents.endings, session.from);
      assert.equal(kept?.xid, xids.get("many"));
      assert.match(configuration, new RegExp(`target: \\{ lsn: "${lsn}" \\}`));
    });
  });

  it("finds where a table's number of rows fell, and how many there were", async () => {
    await search(async (session, scan) => {
      const [many, ...others] = await findDamage(session, scan, about({ table: "meals", below: 50 }));
      assert.ok(many);
      assert.deepEqual([others.length, named([many]), many.before, many.after], [0, ["many"], 98, 10]);
      const [few] = await findDamage(session, scan, about({ table: "meals", below: 100 }));
      assert.ok(few);
      assert.deepEqual([named([few]), few.before, few.after], [["few"], 100, 98]);
    });
  });

  it("reads on in the archive when the server takes a segment away meanwhile, and writes nothing where it was", async () => {
    await server.query("postgres", "select pg_switch_wal()");
    await server.query("mealie", "insert into notes values (100)");
    const from = parseLsn(await server.position());
    await server.query("mealie", "insert into notes values (101)");
    const segment = segmentName(1, from);
    await inServer(server.container, "check");
    const to = parseLsn(await server.position());
    await withServerReader(server.container, async (reader) => {
      const way = [{ timeline: 1, until: undefined }];
      const before = await readWal(reader, way, from, to);
      assert.ok(!("gap" in before));
      assert.ok(before.writes.some(({ inserted }) => inserted === 1));
      await readerShell(reader, 'rm "$1"', [`${reader.data}/pg_wal/${segment}`]);
      assert.deepEqual(await readWal(reader, way, from, to), before);
      assert.equal(
        await readerShell(reader, 'ls "$1" | grep -c "^$2" || true', [`${reader.data}/pg_wal`, segment]),
        "0",
      );
    });
  });
});
