import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type pg from "pg";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import { takeDump } from "../../operations/backup/dump.ts";
import type { Dump, DumpRequest } from "../../operations/backup/dump.ts";
import { brokenDumps, listDumps, verifyDump } from "../../operations/backup/list.ts";
import { manifestFile } from "../../operations/backup/manifest.ts";
import { dumpsFolder, ownPlace, withHelper } from "../../operations/backup/place.ts";
import type { DumpPlace } from "../../operations/backup/place.ts";
import { withClient } from "../../operations/database/connection.ts";
import type { Server } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const odd = "o'dd =name/Ä";
const stack = "rbt-shop";

describe("dumps", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;
  let server: Server;
  let place: DumpPlace;

  const sql = (database: string, text: string, on: Server = server): Promise<pg.QueryResult> =>
    withClient(on, database, (client) => client.query(text));
  const inside = (...command: string[]): Promise<string> =>
    docker(["exec", "-u", "postgres", postgres.container, ...command]);
  const take = (more: Partial<DumpRequest> = {}): Promise<Dump> =>
    takeDump({
      ...{ place, server, stack, revision: randomBytes(4).toString("hex"), releases: ["1.2.0"], keep: 10 },
      ...{
        databases: new Map([
          ["shop", "23"],
          [odd, undefined],
        ]),
        say: () => undefined,
      },
      ...more,
    });

  before(async () => {
    postgres = await startPostgres();
    server = postgres.server;
    place = ownPlace(postgres.container, { volume: "rbt-dumps" });
    await sql("postgres", "create role shop_app login password 'hush-hush'");
    await sql("postgres", "create database shop");
    await sql("postgres", `create database "${odd}"`);
    await sql(
      "shop",
      `create table meals as select id, repeat(md5(id::text), 5) as name from generate_series(1, 20000) id;
       create index on meals (id); create view some_meals as select * from meals;
       select lo_from_bytea(0, '\\xdeadbeef')`,
    );
    await sql(odd, "create table t as select 1 as x");
  });
  after(() => postgres.remove());

  it("hold every database, are read back, hashed and named only then", async () => {
    const said: string[] = [];
    const { name, where, manifest, summary } = await take({ say: (line) => said.push(line) });
    assert.match(name, /^rbt-shop-\d{8}T\d{6}Z-[0-9a-f]{8}$/);
    assert.equal(where, `${name} in volume rbt-dumps`);
    assert.match(summary, /^2 databases, .*B in [\d.]+ s, read back in full$/);
    assert.deepEqual(
      manifest.databases.map((each) => [each.name, each.schemaVersion, each.tables]),
      [
        ["shop", "23", 1],
        [odd, null, 1],
      ],
    );
    assert.ok((manifest.databases[0]?.bytes ?? 0) > 50_000);
    assert.match(manifest.server.lsn, /^[0-9A-F]+\/[0-9A-F]+$/);
    assert.match(said.join("\n"), /dumping shop \([\d.]+ MB\)\n.*\nreading the dump back/);
    const left = await inside("ls", "-A", dumpsFolder);
    assert.ok(!left.includes(".partial"));
  });

  it("are unreadable to others and hold no password", async () => {
    const modes = await inside("find", dumpsFolder, "-mindepth", "1", "-perm", "/077");
    assert.equal(modes, "");
    const globals = await inside("sh", "-c", `cat ${dumpsFolder}/*/globals.sql`);
    assert.match(globals, /CREATE ROLE shop_app/);
    assert.doesNotMatch(globals, /SCRAM|PASSWORD '/i);
    assert.doesNotMatch(globals, /hush/);
  });

  it("can be restored, with rows, views and large objects", async () => {
    const [newest] = await listDumps(place, stack);
    const folder = newest?.manifest.databases[0]?.folder ?? "";
    await sql("postgres", "create database restored");
    await inside(
      "pg_restore",
      "--exit-on-error",
      "-j",
      "2",
      "-d",
      "restored",
      `${dumpsFolder}/${newest?.name ?? ""}/${folder}`,
    );
    const { rows } = await sql(
      "restored",
      "select count(*)::int as n, (select encode(lo_get(oid), 'hex') from pg_largeobject_metadata) as lo from some_meals",
    );
    assert.deepEqual(rows, [{ n: 20_000, lo: "deadbeef" }]);
  });

  it("that were damaged later are noticed, whatever the damage", async () => {
    const damages: [string, RegExp][] = [
      [
        "f=$(ls -S db-shop/*.dat.zst | head -n1); printf x | dd of=$f bs=1 seek=1000 conv=notrunc 2>&1",
        /FAILED/,
      ],
      ["f=$(ls -S db-shop/*.dat.zst | head -n1); truncate -s -10 $f", /FAILED/],
      ["rm db-shop/toc.dat", /No such file|toc\.dat/],
    ];
    for (const [damage, words] of damages) {
      const { name, manifest } = await take();
      assert.deepEqual((await verifyDump(place, { name, manifest })).problems, []);
      await inside("sh", "-c", `cd ${dumpsFolder}/${name}; ${damage}`);
      assert.match((await verifyDump(place, { name, manifest })).problems.join("\n"), words);
      await inside("rm", "-rf", `${dumpsFolder}/${name}`);
    }
  });

  it("whose manifest is damaged or gone are named, and not passed over as if there were none", async () => {
    const { name } = await take();
    const broken = async (): Promise<string[]> => brokenDumps(place, stack, await listDumps(place, stack));
    assert.deepEqual(await broken(), []);
    for (const damage of ["truncate -s 300", "rm"]) {
      await inside("sh", "-c", `${damage} ${dumpsFolder}/${name}/${manifestFile}`);
      assert.deepEqual(await broken(), [name]);
    }
    await inside("rm", "-rf", `${dumpsFolder}/${name}`);
  });

  it("are kept in number, and the last whole one for ever", async () => {
    const old = await listDumps(place, stack);
    const { name } = await take({ keep: 1 });
    assert.deepEqual(
      (await listDumps(place, stack)).map((dump) => dump.name),
      [name],
    );
    assert.ok(old.length >= 1 && !old.some((dump) => dump.name === name));
    await inside("sh", "-c", `truncate -s 1 ${dumpsFolder}/${name}/globals.sql`);
    assert.deepEqual(
      (await listDumps(place, stack)).map(({ whole }) => whole),
      [false],
    );
    const next = await take({ keep: 1 });
    assert.deepEqual(
      (await listDumps(place, stack)).map((dump) => dump.name),
      [next.name],
    );
  });

  it("of another stack are left alone, what a killed run of this one left is removed", async () => {
    const [mine, other] = [".partial-rbt-shop-20200101T000000Z-a", ".partial-rbt-shop-2-20200101T000000Z-a"];
    await inside("mkdir", `${dumpsFolder}/${mine}`, `${dumpsFolder}/${other}`);
    await take();
    const left = await inside("ls", "-A", dumpsFolder);
    assert.ok(!left.includes(mine) && left.includes(other));
    await inside("rmdir", `${dumpsFolder}/${other}`);
  });

  it("that fail leave nothing, and PostgreSQL's words", async () => {
    const before = await inside("ls", "-A", dumpsFolder);
    await sql(
      "shop",
      "create table odd_one (id int); alter table odd_one owner to shop_app; create role shop_dumper login password 'x'",
    );
    await sql("shop", "grant connect on database shop to shop_dumper");
    const weak = {
      ...place,
      environment: { PGUSER: "shop_dumper", PGHOST: "127.0.0.1", PGPASSFILE: "/nowhere" },
    };
    await assert.rejects(take({ place: weak }), (error) => {
      assert.ok(error instanceof Refusal);
      assert.match(error.message, /pg_dump: error: .*(no password|password)/);
      assert.match(error.message, /was removed/);
      return error.code === "DUMP_FAILED";
    });
    assert.equal(await inside("ls", "-A", dumpsFolder), before);
  });

  it("of a server that is not ours are made by a passing container, its password handed over unseen", async () => {
    const address = await docker([
      ...["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", postgres.container],
    ]);
    const volume = `rbt-dumps-${randomBytes(4).toString("hex")}`;
    const prefix = `rbt-${randomBytes(4).toString("hex")}`;
    const foreign = { ...server, host: address, port: 5432 };
    try {
      const request = { image: "rollback-postgres:17.1", repository: { volume }, server: foreign, prefix };
      await withHelper(request, async (helper) => {
        const seen = await docker(["inspect", helper.container]);
        assert.ok(!seen.includes(server.password));
        const dump = await take({ place: helper });
        assert.deepEqual((await verifyDump(helper, dump)).problems, []);
      });
      assert.equal(await docker(["ps", "-aq", "--filter", `name=${prefix}`]), "");
      const looked = await withHelper({ ...request, server: undefined }, (helper) =>
        listDumps(helper, stack),
      );
      assert.equal(looked.length, 1);
    } finally {
      await docker(["volume", "rm", "-f", volume]);
    }
  });
});

describe("dumps into too little room", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let request: DumpRequest;
  const left = (): Promise<string> => docker(["exec", postgres.container, "ls", "-A", dumpsFolder]);

  before(async () => {
    postgres = await startPostgres({ dumpsSize: "2m" });
    request = {
      place: ownPlace(postgres.container, { volume: "rbt-small" }),
      server: postgres.server,
      ...{ stack, revision: "full", releases: [], databases: new Map([["postgres", undefined]]), keep: 3 },
      say: () => undefined,
    };
  });
  after(() => postgres.remove());

  it("are refused before anything is written when that can be foreseen", async () => {
    await withClient(postgres.server, "postgres", (client) =>
      client.query(
        "create table big as select gen_random_uuid() as a, gen_random_uuid() as b from generate_series(1, 60000)",
      ),
    );
    await assert.rejects(takeDump(request), (error) => isRefusal(error, "DUMP_NO_SPACE"));
    assert.equal(await left(), "");
  });

  it("that fill it all the same leave nothing behind, and the former dump stays", async () => {
    const fill = (rows: number, value: string): Promise<unknown> =>
      withClient(postgres.server, "postgres", (client) =>
        client.query(
          `drop table if exists big; create table big as select ${value} as a from generate_series(1, ${String(rows)})`,
        ),
      );
    // The last dump compressed well, so this one passes the check beforehand; but it does not compress.
    await fill(10_000, "repeat('x', 60)");
    const { name } = await takeDump(request);
    await fill(
      20_000,
      "sha512(gen_random_uuid()::text::bytea)::text || sha512(gen_random_uuid()::text::bytea)::text",
    );
    await assert.rejects(takeDump(request), (error) => {
      assert.ok(error instanceof Refusal, String(error));
      assert.match(error.message, /No space left on device/);
      assert.match(error.message, /Make room/);
      return error.code === "DUMP_FAILED";
    });
    assert.equal(await left(), name);
  });
});
