import assert from "node:assert/strict";
import fc from "fast-check";
import { dumpsOf, dumpsToRemove, parseListing } from "../../../operations/backup/list.ts";
import {
  countEntries,
  databaseFolder,
  dumpName,
  filesFrom,
  isDumpOf,
} from "../../../operations/backup/manifest.ts";
import { helperArguments, passfileLine } from "../../../operations/backup/place.ts";
import {
  bytesNeeded,
  conninfo,
  pgDumpallArguments,
  pgDumpArguments,
  refuseWithoutRoom,
  roomFrom,
  size,
} from "../../../operations/backup/plan.ts";
import { isRefusal } from "../../../settings/refusal.ts";

const sum = (digit: string): string => digit.repeat(64);

describe("names of dumps", () => {
  it("say whose, when and which run", () => {
    const name = dumpName("shop-prod", new Date("2026-11-22T23:32:49.123Z"), "3f0c-11/../x");
    assert.equal(name, "shop-prod-20261122T233249Z-3f0c11..x");
    assert.ok(isDumpOf("shop-prod", name));
  });

  it("keep one stack's dumps apart from another's whose name begins alike", () => {
    const name = dumpName("shop-prod-2", new Date(), "abc");
    assert.ok(!isDumpOf("shop-prod", name));
    assert.ok(isDumpOf("shop-prod-2", name));
  });

  it("give every database a folder of its own that is one path element", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: "grapheme-ascii" }),
        fc.string({ minLength: 1, unit: "grapheme-ascii" }),
        (a, b) => {
          assert.ok(!/[/\0]/.test(databaseFolder(a)));
          assert.equal(databaseFolder(a) === databaseFolder(b), a === b);
        },
      ),
    );
  });
});

describe("arguments", () => {
  it("take a database's name literally, also one that looks like a connection string", () => {
    assert.equal(conninfo("a'b\\c host=evil"), "dbname='a\\'b\\\\c host=evil'");
    assert.ok(pgDumpArguments("x=y", "/d", 2).includes("--dbname=dbname='x=y'"));
  });

  it("ask for roles without their passwords", () => {
    assert.ok(pgDumpallArguments("x", "/g").includes("--no-role-passwords"));
  });

  it("of the helper hold no password", () => {
    const server = { host: "h", port: 1, user: "u", password: "geheim", ssl: "require" } as const;
    const text = helperArguments("c", {
      image: "i",
      repository: { volume: "v" },
      server,
      prefix: "p",
      labels: { a: "b" },
    });
    assert.ok(!text.join(" ").includes("geheim"));
    assert.ok(text.join(" ").includes("--label a=b"));
  });

  it("escape what the password file gives a meaning to", () => {
    assert.equal(passfileLine({ password: "a:b\\c" }), "*:*:*:*:a\\:b\\\\c\n");
  });
});

describe("room for a dump", () => {
  const last = {
    databases: [
      {
        name: "a",
        folder: "a",
        schemaVersion: null,
        entries: 1,
        tables: 1,
        bytes: 10,
        tableBytes: 100,
        seconds: 1,
      },
    ],
  };

  it("is that of the tables without experience, and of the last compression and half as much with it", () => {
    assert.equal(bytesNeeded([{ tableBytes: 300 }, { tableBytes: 200 }], undefined), 500);
    assert.equal(bytesNeeded([{ tableBytes: 1000 }], last), 150);
  });

  it("is never more than the tables take", () => {
    const grown = { databases: [{ ...last.databases[0], bytes: 900 }] } as typeof last;
    assert.equal(bytesNeeded([{ tableBytes: 1000 }], grown), 1000);
  });

  it("is refused when it would leave less than the reserve", () => {
    const room = roomFrom(
      "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 1000 500 500 50% /x",
    );
    assert.deepEqual(room, { free: 512_000, total: 1_024_000 });
    refuseWithoutRoom(400_000, room, "/x");
    assert.throws(
      () => refuseWithoutRoom(480_000, room, "/x"),
      (error) => isRefusal(error, "DUMP_NO_SPACE"),
    );
  });

  it("is told in units for people", () => {
    assert.deepEqual([0, 999, 1500, 11_400_000, 2e9, 5e15].map(size), [
      "0 B",
      "999 B",
      "1.5 kB",
      "11 MB",
      "2.0 GB",
      "5000 TB",
    ]);
  });
});

describe("what the tools print", () => {
  it("becomes files with hash and size", () => {
    const files = filesFrom(
      `${sum("b")} *./db/2.dat.zst\n${sum("a")} *./db/1 x.dat\n`,
      "7 db/1 x.dat\n9 db/2.dat.zst\n",
    );
    assert.deepEqual(files, [
      { path: "db/1 x.dat", sha256: sum("a"), bytes: 7 },
      { path: "db/2.dat.zst", sha256: sum("b"), bytes: 9 },
    ]);
  });

  it("becomes counts of entries and tables", () => {
    const list =
      ";\n; Archive\n215; 1259 16389 TABLE public meals app\n3334; 0 16389 TABLE DATA public meals app\n";
    assert.deepEqual(countEntries(list), { entries: 2, tables: 1 });
  });

  const manifest = {
    ...{ format: 1, stack: "s", revision: "r", releases: [], startedAt: "2026-11-22T23:32:49.123Z" },
    ...{ finishedAt: "2026-11-22T23:32:50.123Z", databases: [], globals: "globals.sql" },
    server: { version: "17", systemIdentifier: "1", timeline: 1, lsn: "0/1" },
    files: [{ path: "globals.sql", bytes: 5, sha256: sum("c") }],
  };
  const record = (name: string, text: string, sizes: string): string => `\x1e${name}\x1f${text}\x1f${sizes}`;

  it("becomes dumps by the moment they began, also of one second, whatever their runs are called", () => {
    const at = (ms: string): string =>
      JSON.stringify({ ...manifest, startedAt: `2026-11-22T23:32:49.${ms}Z` });
    const printed = [
      record("s-20261122T233249Z-aaaa", at("900"), "5 globals.sql\n"),
      record("s-20261122T233249Z-ffff", at("100"), "5 globals.sql\n"),
    ];
    for (const order of [printed, printed.toReversed()]) {
      assert.deepEqual(
        dumpsOf("s", order.join("")).map(({ name }) => name.slice(-4)),
        ["aaaa", "ffff"],
      );
    }
  });

  it("becomes dumps; what is no manifest is none", () => {
    const dumps = parseListing(
      record("one", JSON.stringify(manifest), "5 globals.sql\n") +
        record("cut", JSON.stringify(manifest), "4 globals.sql\n") +
        record("half", '{"format":1', "") +
        record("other", "{}", ""),
    );
    assert.deepEqual(
      dumps.map(({ name, whole }) => [name, whole]),
      [
        ["one", true],
        ["cut", false],
      ],
    );
  });
});

describe("retention", () => {
  const dump = (name: string, whole = true): { name: string; whole: boolean } => ({ name, whole });

  it("keeps the newest", () => {
    assert.deepEqual(dumpsToRemove([dump("3"), dump("2"), dump("1")], 2), ["1"]);
  });

  it("never removes the last good one, whatever is asked", () => {
    assert.deepEqual(dumpsToRemove([dump("2"), dump("1")], 0), ["1"]);
    assert.deepEqual(dumpsToRemove([dump("3", false), dump("2", false), dump("1")], 1), []);
    assert.deepEqual(dumpsToRemove([dump("2", false)], 0), []);
  });

  it("does not count damaged ones, and lets them go when they are older than all that stay", () => {
    const dumps = [dump("5", false), dump("4"), dump("3", false), dump("2"), dump("1", false)];
    assert.deepEqual(dumpsToRemove(dumps, 2), ["1"]);
    assert.deepEqual(dumpsToRemove(dumps, 1), ["3", "2", "1"]);
  });

  it("always leaves a good one when there was one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.integer({ min: -1, max: 5 }),
        (list, keep) => {
          const dumps = list.map((whole, index) => dump(String(99 - index), whole));
          const removed = new Set(dumpsToRemove(dumps, keep));
          const left = dumps.filter(({ name }) => !removed.has(name));
          assert.equal(
            left.some(({ whole }) => whole),
            list.includes(true),
          );
          if (list.length > 0 && list[0] !== undefined) assert.ok(!removed.has("99") || !list[0]);
        },
      ),
    );
  });
});
