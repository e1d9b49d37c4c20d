import assert from "node:assert/strict";
import { parseDestroyed } from "../../../operations/recovery/destroyed.ts";
import {
  countsOf,
  damages,
  fellBelow,
  worstFirst,
  type Tables,
} from "../../../operations/recovery/find/damage.ts";
import { followRow, parseRows } from "../../../operations/recovery/find/row.ts";
import type { WalContents } from "../../../operations/recovery/read.ts";
import type { Ending } from "../../../operations/recovery/wal.ts";

const ending = (xid: string, more: Partial<Ending> = {}): Ending => ({
  ...{ lsn: BigInt(xid), timeline: 1, xid, subxids: [], committed: true, time: "2026-11-25 06:00:00.000000" },
  ...more,
});
const tables: Tables = {
  database: "5",
  byFile: new Map([["16407", "16384"]]),
  names: new Map([["16384", "public.t"]]),
};
const contents = (more: Partial<WalContents>): WalContents => ({
  ...{
    endings: [],
    points: [],
    writes: [],
    destroyed: [],
    running: [],
    prepared: [],
    parameters: [],
    last: undefined,
    ...more,
  },
});

describe("what the WAL tells of tables that were emptied or dropped", () => {
  // As pg_waldump 17 prints it.
  const printed = `rmgr: Heap        len (rec/tot):     46/    46, tx:        746, lsn: 0/0156EAF8, prev 0/0156EAB8, desc: TRUNCATE flags: [], nrelids: 2, relids: [16384, 16392]
rmgr: Transaction len (rec/tot):    513/   513, tx:        745, lsn: 0/0156EB28, prev 0/0156EAF8, desc: COMMIT 2026-11-25 08:37:53.648975 UTC; rels: base/5/16396 base/5/16384; subxacts: 746
rmgr: Transaction len (rec/tot):   1317/  1317, tx:        750, lsn: 0/015A7D38, prev 0/015A7BD0, desc: COMMIT 2026-11-25 08:37:54.068465 UTC; rels: base/5/16407 base/5/16391; dropped stats: 2/5/16396 2/5/16392 4/5/1
rmgr: Transaction len (rec/tot):   1317/  1317, tx:        751, lsn: 0/015A7E38, prev 0/015A7BD0, desc: COMMIT 2026-11-25 08:37:54.068465 UTC; dropped stats: 2/5/17000`;

  it("takes relations from truncations and drops, and the database from the files that were freed", () => {
    assert.deepEqual(parseDestroyed(printed), [
      { xid: "746", database: "5", relation: "16384", how: "truncate" },
      { xid: "746", database: "5", relation: "16392", how: "truncate" },
      { xid: "750", database: "5", relation: "16396", how: "drop" },
      { xid: "750", database: "5", relation: "16392", how: "drop" },
    ]);
  });

  it("leaves temporary tables out, which free no file", () => {
    assert.ok(!parseDestroyed(printed).some(({ xid }) => xid === "751"));
  });
});

describe("damages", () => {
  it("sums up by transaction and table, with what was within it, and knows a table by its first file too", () => {
    const writes = [
      { xid: "10", file: "1663/5/16384", inserted: 0, updated: 0, deleted: 3 },
      { xid: "11", file: "1663/5/16407", inserted: 1, updated: 0, deleted: 2 },
      { xid: "12", file: "1663/5/16407", inserted: 0, updated: 0, deleted: 9 },
      { xid: "10", file: "1663/6/16407", inserted: 0, updated: 0, deleted: 9 },
    ];
    const endings = [ending("10", { subxids: ["11"] }), ending("12", { committed: false })];
    const [only, ...others] = damages(contents({ writes, endings }), tables);
    assert.deepEqual(others, []);
    assert.deepEqual([only?.table, only?.how, only?.inserted, only?.deleted], ["public.t", "delete", 1, 5]);
  });

  it("puts drops and truncations first, then what deleted most; mere inserts are no damage", () => {
    const write = (xid: string, inserted: number, deleted: number): WalContents["writes"][number] => ({
      ...{ xid, file: "1663/5/16407", inserted, updated: 0, deleted },
    });
    const all = damages(
      contents({
        endings: ["10", "11", "12", "13"].map((xid) => ending(xid)),
        writes: [write("10", 0, 1), write("11", 0, 50), write("12", 7, 0)],
        destroyed: [{ xid: "13", database: "5", relation: "16384", how: "truncate" }],
      }),
      tables,
    );
    assert.deepEqual(
      worstFirst(all).map(({ ending: { xid } }) => xid),
      ["13", "11", "10"],
    );
  });

  it("counts back from now, up to a truncation, and finds where a count fell", () => {
    const damage = (xid: string, inserted: number, deleted: number, how = "delete"): never =>
      ({ ending: ending(xid), relation: "1", table: "t", how, inserted, updated: 0, deleted }) as never;
    const counts = countsOf(
      [damage("1", 5, 0), damage("2", 0, 0, "truncate"), damage("3", 10, 0), damage("4", 0, 8)],
      2,
    );
    assert.deepEqual(
      counts.map(({ before, after }) => [before, after]),
      [
        [undefined, undefined],
        [undefined, 0],
        [0, 10],
        [10, 2],
      ],
    );
    assert.equal(fellBelow(counts, 5)?.damage.ending.xid, "4");
    assert.equal(fellBelow(counts, 2)?.damage.ending.xid, "2");
  });
});

describe("followRow", () => {
  it("follows updates from place to place and ends with the delete; what was rolled back did not happen", () => {
    const records = parseRows(
      "740 0 5 4 97\n741 4 97 4 98\n742 4 97 6 2\n743 4 97 9 9\n744 6 2\n745 6 2 1 1\n",
    );
    const committed = new Map(["740", "742", "744", "745"].map((xid) => [xid, ending(xid)]));
    assert.deepEqual(
      followRow({ block: 0, offset: 5 }, records, committed).map(({ ending: { xid }, how }) => [xid, how]),
      [
        ["740", "update"],
        ["742", "update"],
        ["744", "delete"],
      ],
    );
  });
});
