import assert from "node:assert/strict";
import { ownPlace, shellIn } from "../../operations/backup/place.ts";
import { withClient } from "../../operations/database/connection.ts";
import { ensureLedger } from "../../operations/migrations/ledger/ensure.ts";
import { access } from "../../operations/plan/access.ts";
import { copyRows, type Copied, type CopyRequest } from "../../operations/recovery/copy.ts";
import { removeLook } from "../../operations/recovery/look/place.ts";
import { ownCluster, withLook } from "../../operations/recovery/look/session.ts";
import { chosen, listPacks, readPack } from "../../operations/recovery/pack.ts";
import { replay, type Replayed, type ReplayOptions } from "../../operations/recovery/replay.ts";
import type { SalvagedRow } from "../../operations/recovery/salvaged.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

describe("rows of a moment ago, without taking everything back", function () {
  this.timeout(180_000);
  let server: ArchivedServer;
  let lsn: string;

  before(async () => {
    server = await startArchivedServer();
    await server.query(
      "mealie",
      "create role mealie_owner nologin",
      "create schema rollback",
      "create table meals (id int primary key, name text, old text, kcal int)",
      "insert into meals select n, 'meal ' || n, 'x', n from generate_series(1, 10) n",
      "create table notes (id int primary key, meal int references meals, note jsonb)",
    );
    lsn = await server.position();
    await server.query(
      "mealie",
      "delete from meals where id <= 3",
      "update meals set name = 'spoilt' where id = 4",
      "insert into meals values (11, 'new', 'x', 1)",
      "alter table meals drop column old",
    );
  });
  after(() => server.cleanup());

  it("copies them into a new table, or back into their own by key, and counts", async () => {
    const { settings } = server;
    await withLook(
      settings,
      "copy",
      () => undefined,
      async ({ goTo, place }) => {
        const { container } = await goTo({ kind: "lsn", lsn });
        const copy = (more: Partial<CopyRequest>): Promise<Copied> =>
          copyRows({
            ...{ settings, container, database: "mealie", table: "meals", where: undefined },
            ...{ into: "merge", dryRun: false, ...more },
          });
        const into = { table: "meals_recovered" };
        const fresh = await copy({ into, where: "name in ('meal 1', 'meal 4')" });
        assert.deepEqual([fresh.read, fresh.inserted, fresh.leftOut], [2, 2, []]);
        assert.deepEqual(await server.query("mealie", "select * from meals_recovered order by id"), [
          { id: 1, name: "meal 1", old: "x", kcal: 1 },
          { id: 4, name: "meal 4", old: "x", kcal: 4 },
        ]);
        await assert.rejects(copy({ into }), (error) => isRefusal(error, "COPY_IMPOSSIBLE"));
        await assert.rejects(copy({ where: "nope = 1" }), (error) => isRefusal(error, "COPY_FAILED"));

        const dry = await copy({ dryRun: true });
        assert.deepEqual([dry.read, dry.inserted, dry.updated, dry.leftOut], [10, 3, 1, ["old"]]);
        assert.deepEqual(await server.query("mealie", "select count(*)::int as n from meals"), [{ n: 8 }]);
        const merged = await copy({});
        assert.deepEqual([merged.inserted, merged.updated], [3, 1]);
        assert.deepEqual(
          await server.query("mealie", "select id, name from meals where id in (1, 4, 11) order by id"),
          [
            { id: 1, name: "meal 1" },
            { id: 4, name: "meal 4" },
            { id: 11, name: "new" },
          ],
        );
        await removeLook(place);
      },
    );
  });

  it("writes chosen rows of a salvage pack again, and reports what was written since as conflicts", async () => {
    const pack = "run-1";
    const place = ownPlace(server.container, ownCluster(server.settings).backup.repository);
    const row = (table: string, change: SalvagedRow["change"], values: SalvagedRow["row"]): string =>
      JSON.stringify({ database: "mealie", table, change, row: values });
    const lines = [
      // The child first: the order in the pack is that of the tables' names.
      row("public.notes", "write", { id: 1, meal: 20, note: { a: [1, "2"] } }),
      row("public.meals", "write", { id: 20, name: "later", kcal: 5 }),
      row("public.meals", "write", { id: 5, name: "changed later", kcal: 5 }),
      row("public.meals", "write", { id: 6, name: "changed later", kcal: 6 }),
      row("public.meals", "write", { id: 8, name: "meal 8", kcal: 8 }),
      row("public.meals", "delete", { id: 7, name: "meal 7", kcal: 7 }),
      row("public.meals", "delete", { id: 99, name: "gone", kcal: 7 }),
    ];
    await shellIn(place, 'mkdir -p "$1"; cat > "$1/mealie.jsonl"', [`/var/lib/dumps/salvage/${pack}`], {
      input: lines.map((line) => `${line}\n`).join(""),
    });
    const work = (options: Partial<ReplayOptions>, tables?: string[]): Promise<Replayed[]> =>
      withClient(access(server.settings), "mealie", async (client) => {
        const [found] = await listPacks(place);
        assert.ok(found);
        const rows = chosen(await readPack(place, found, "mealie"), { tables, key: new Map() });
        return replay(client, rows, { run: "test", pack, overwrite: false, dryRun: false, ...options });
      });
    await withClient(access(server.settings), "mealie", async (client) => {
      await ensureLedger(client);
    });
    await server.query(
      "mealie",
      `insert into rollback.event (id, at, by, run, kind, details, previous, hash)
       values (0, clock_timestamp(), '', '${pack}', 'recovered', '{}', '', '')`,
      "update meals set name = 'written since the recovery' where id = 6",
    );
    const counts = ({ table, inserted, updated, deleted, same, conflicts }: Replayed): unknown[] => [
      ...[table, inserted, updated, deleted, same, conflicts],
    ];
    const expected = [
      ["public.meals", 1, 1, 1, 2, [{ id: 6 }]],
      ["public.notes", 1, 0, 0, 0, []],
    ];
    await assert.rejects(work({}, ["public.notes"]), (error) => isRefusal(error, "SALVAGE_FAILED"));
    assert.deepEqual((await work({ dryRun: true })).map(counts), expected);
    assert.deepEqual(await server.query("mealie", "select id from meals where id in (7, 20)"), [{ id: 7 }]);
    assert.deepEqual((await work({})).map(counts), expected);
    assert.deepEqual(
      await server.query("mealie", "select id, name from meals where id in (5, 6, 7, 20) order by id"),
      [
        { id: 5, name: "changed later" },
        { id: 6, name: "written since the recovery" },
        { id: 20, name: "later" },
      ],
    );
    assert.deepEqual(await server.query("mealie", "select note from notes"), [{ note: { a: [1, "2"] } }]);
    // Again: everything is as the pack has it, but for the conflict, which gives way when told to.
    assert.deepEqual((await work({})).map(counts), [
      ["public.meals", 0, 0, 0, 5, [{ id: 6 }]],
      ["public.notes", 0, 0, 0, 1, []],
    ]);
    assert.equal((await work({ overwrite: true }))[0]?.updated, 1);
  });
});
