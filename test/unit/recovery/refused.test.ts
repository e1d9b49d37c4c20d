import assert from "node:assert/strict";
import { leftBetween } from "../../../operations/recovery/ambiguous.ts";
import type { BaseBackup } from "../../../operations/archive/info.ts";
import { highestParameters, roomFor } from "../../../operations/recovery/checks.ts";
import type { CompiledTarget } from "../../../operations/recovery/compile.ts";
import { stateOf } from "../../../operations/recovery/finished.ts";
import { openAt } from "../../../operations/recovery/plan.ts";
import { branches } from "../../../operations/recovery/segments.ts";
import { parseLsn, parseParameters, parseWal, type Ending } from "../../../operations/recovery/wal.ts";

const head = "rmgr: Transaction len (rec/tot):     46/    46, tx:";
const wal = [
  `${head}        747, lsn: 0/03879400, prev 0/03879218, desc: PREPARE gid rollback:run:1:mealie: 2026-11-25 06:26:06.905 UTC`,
  `${head}        748, lsn: 0/03879500, prev 0/03879400, desc: PREPARE gid of the application's: 2026-11-25 06:26:06.906 UTC`,
  "rmgr: XLOG        len (rec/tot):     54/    54, tx:          0, lsn: 0/03879600, prev 0/03879500, desc: PARAMETER_CHANGE max_connections=200 max_worker_processes=8 max_wal_senders=10 max_prepared_xacts=20 max_locks_per_xact=64 wal_level=logical wal_log_hints=off track_commit_timestamp=on",
  `${head}          0, lsn: 0/03879700, prev 0/03879600, desc: COMMIT_PREPARED 747: 2026-11-25 06:26:06.908254 UTC`,
].join("\n");

describe("what replay passes through", () => {
  it("is prepared at a target that lies between the two phases, and only there", () => {
    const contents = parseWal(wal, 1);
    const at = (lsn: string, inclusive = false): string[] =>
      openAt(contents, { lsn: parseLsn(lsn), inclusive }).map(({ gid }) => gid);
    assert.deepEqual(at("0/3879400"), []);
    assert.deepEqual(at("0/3879400", true), ["rollback:run:1:mealie"]);
    assert.deepEqual(at("0/3879700"), ["rollback:run:1:mealie", "of the application's"]);
    assert.deepEqual(at("0/3879700", true), ["of the application's"]);
  });

  it("needs the highest settings that the source ever had", () => {
    const now = new Map([
      ["max_connections", 100],
      ["max_prepared_transactions", 20],
    ]);
    const highest = highestParameters(now, parseParameters(wal));
    assert.equal(highest.get("max_connections"), 200);
    assert.equal(highest.get("max_prepared_transactions"), 20);
    assert.equal(highest.get("max_locks_per_transaction"), 64);
    assert.deepEqual(highestParameters(now, []), now);
  });
});

describe("the room that a new volume must have", () => {
  const backup = { size: 100e6, startLsn: "0/1000000" } as BaseBackup;
  const mb = 1024 ** 2;
  it("is that of the data as it was or as it has become, the WAL that replay keeps, and a reserve", () => {
    const source = { databases: 50e6, walKept: 1024 * mb, lsn: 0x1000000n + 100n * BigInt(mb) };
    assert.equal(roomFor(backup, source), 110e6 + 100 * mb + 512 * mb);
    assert.equal(roomFor(backup, { ...source, databases: 1e9 }), 1.1e9 + 612 * mb);
    assert.equal(roomFor(backup, { ...source, lsn: 1n << 40n }), 110e6 + 1536 * mb);
  });
});

describe("the new volume", () => {
  const mark = (state: string, stack = "p/s"): string => JSON.stringify({ stack, plan: "x", state });
  it("is told from what lies in it", () => {
    for (const [printed, state] of [
      ["0\nnot\n-\n", "empty"],
      [`1\nnot\n-\n${mark("begun")}`, "unfinished"],
      [`24\nwhole\n-\n${mark("promoted")}`, "unfinished"],
      [`24\nwhole\n-\n${mark("begun", "another/s")}`, "other"],
      [`24\nnot\nrestoring\n${mark("begun", "another/s")}`, "other"],
      [`25\nwhole\n-\n${mark("served")}`, "cluster"],
      ["24\nwhole\n-\n", "cluster"],
      [`24\nwhole\n-\n${mark("served").slice(0, 20)}`, "cluster"],
      ["3\nnot\n-\n", "other"],
      ["20\nnot\nrestoring\n", "unfinished"],
    ] as const) {
      assert.equal(stateOf(printed, "p/s"), state, printed);
    }
  });
});

describe("a time between two transactions", () => {
  const way = branches(4, "1\t0/3000000\tx\n3\t0/5000000\tx\n");
  const end = (lsn: string): Ending => ({
    ...{ lsn: parseLsn(lsn), timeline: 0, xid: "1", subxids: [], committed: true, time: "" },
  });
  const between = (last: string | undefined, next: string | undefined): number[] => {
    const compiled: CompiledTarget = {
      ...{ lsn: 0n, inclusive: false, lastTime: undefined },
      last: last === undefined ? undefined : end(last),
      lost: next === undefined ? [] : [end(next)],
    };
    return leftBetween({ compiled, way, backup: { timeline: 1 } });
  };

  it("may be one of every timeline opened in between, also of those that are not on the way", () => {
    assert.deepEqual(between("0/2000000", "0/2100000"), []);
    assert.deepEqual(between("0/2000000", "0/4000000"), [1, 2]);
    assert.deepEqual(between(undefined, "0/6000000"), [1, 2, 3]);
    assert.deepEqual(between("0/4000000", "0/6000000"), [3]);
    assert.deepEqual(between("0/6000000", undefined), []);
  });
});
