import assert from "node:assert/strict";
import { compileTarget, type WalTarget } from "../../../operations/recovery/compile.ts";
import { formatLsn, parseLsn, parseWal } from "../../../operations/recovery/wal.ts";

const head = "rmgr: Transaction len (rec/tot):     46/    46, tx:";
const wal = [
  `${head}        742, lsn: 0/03879218, prev 0/038791D8, desc: COMMIT 2026-11-25 06:26:06.904946 UTC`,
  "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/038792F8, prev 0/038792C8, desc: RESTORE_POINT p1",
  `${head}        744, lsn: 0/038793E0, prev 0/038793A0, desc: COMMIT 2026-11-25 06:26:06.906345 UTC; subxacts: 745 746`,
  `${head}          0, lsn: 0/038796B0, prev 0/038795B8, desc: COMMIT_PREPARED 747: 2026-11-25 06:26:06.908254 UTC`,
  `${head}        750, lsn: 0/038798A8, prev 0/03879868, desc: ABORT 2026-11-25 06:26:06.909225 UTC`,
].join("\n");
const base = { consistent: parseLsn("0/3000000"), stoppedAt: Date.parse("2026-11-25T06:26:00Z") };

/** `LSN inclusive|exclusive`, or why not. */
const compiled = (target: WalTarget, from = base): string => {
  const outcome = compileTarget(target, parseWal(wal, 1), from);
  if ("failure" in outcome) return outcome.failure;
  return `${formatLsn(outcome.lsn)} ${outcome.inclusive ? "inclusive" : "exclusive"}`;
};

describe("ends of transactions in the WAL", () => {
  it("are read with their own ids, also of prepared ones and with savepoints", () => {
    const { endings, points } = parseWal(wal, 3);
    assert.deepEqual(
      endings.map(({ xid, committed }) => [xid, committed]),
      [
        ["742", true],
        ["744", true],
        ["747", true],
        ["750", false],
      ],
    );
    assert.deepEqual(endings[1]?.subxids, ["745", "746"]);
    assert.deepEqual(points, [{ lsn: parseLsn("0/38792F8"), timeline: 3, name: "p1" }]);
  });
});

describe("a target", () => {
  it("that is a time keeps the transaction of that very microsecond, and not the next", () => {
    assert.equal(compiled({ kind: "time", time: "2026-11-25 06:26:06.906345+00" }), "0/38796B0 exclusive");
    assert.equal(compiled({ kind: "time", time: "2026-11-25 06:26:06.906344+00" }), "0/38793E0 exclusive");
  });

  it("that is a restore point or a position keeps what lies before it", () => {
    assert.equal(compiled({ kind: "restorePoint", name: "p1" }), "0/38793E0 exclusive");
    assert.equal(compiled({ kind: "lsn", lsn: "0/38793E0" }), "0/38793E0 exclusive");
    assert.equal(compiled({ kind: "lsn", lsn: "0/38793E1" }), "0/38796B0 exclusive");
  });

  it("that is a transaction keeps it, also a prepared one; an aborted one is none", () => {
    assert.equal(compiled({ kind: "xid", xid: "744" }), "0/38796B0 exclusive");
    assert.equal(compiled({ kind: "xid", xid: "747" }), "0/38798A8 exclusive");
    assert.equal(compiled({ kind: "xid", xid: "750" }), "absent");
  });

  it("that keeps everything becomes the last end, inclusive, as no record follows an exclusive one", () => {
    const last = { kind: "time", time: "2026-11-25 06:26:06.909225+00" } as const;
    assert.equal(compiled(last), "0/38798A8 inclusive");
    const outcome = compileTarget(last, parseWal(wal, 1), base);
    // Paused behind an inclusive target, PostgreSQL names the end before it.
    assert.equal("lastTime" in outcome && outcome.lastTime, "2026-11-25 06:26:06.908254");
  });

  it("does not keep a first phase that came after it", () => {
    const text = [
      `${head}        742, lsn: 0/03879218, prev 0/038791D8, desc: COMMIT 2026-11-25 06:26:06.904 UTC`,
      `${head}        743, lsn: 0/03879300, prev 0/038791D8, desc: PREPARE gid a: 2026-11-25 06:26:06.906 UTC`,
      `${head}        744, lsn: 0/03879400, prev 0/038791D8, desc: COMMIT 2026-11-25 06:26:06.908 UTC`,
    ].join("\n");
    const at = (target: WalTarget, printed = text): string => {
      const outcome = compileTarget(target, parseWal(printed, 1), base);
      return "failure" in outcome
        ? outcome.failure
        : `${formatLsn(outcome.lsn)} ${outcome.inclusive ? "inclusive" : "exclusive"}`;
    };
    assert.equal(at({ kind: "time", time: "2026-11-25 06:26:06.905+00" }), "0/3879300 exclusive");
    assert.equal(at({ kind: "time", time: "2026-11-25 06:26:06.906+00" }), "0/3879400 exclusive");
    assert.equal(at({ kind: "lsn", lsn: "0/3879300" }), "0/3879300 exclusive");
    assert.equal(at({ kind: "lsn", lsn: "0/3879301" }), "0/3879400 exclusive");
    assert.equal(at({ kind: "xid", xid: "742" }), "0/3879300 exclusive");
    const end = text.split("\n").slice(0, 2).join("\n");
    assert.equal(at({ kind: "lsn", lsn: "0/3879350" }, end), "0/3879300 inclusive");
    assert.equal(at({ kind: "lsn", lsn: "0/3879300" }, end), "0/3879300 exclusive");
  });

  it("before the base backup was consistent, or after the last end, is none", () => {
    assert.equal(compiled({ kind: "time", time: "2026-11-25 06:25:00+00" }), "early");
    assert.equal(
      compiled({ kind: "xid", xid: "742" }, { ...base, consistent: parseLsn("0/3879500") }),
      "early",
    );
    assert.equal(compiled({ kind: "time", time: "2026-11-25 06:26:06.909226+00" }), "late");
    assert.equal(compiled({ kind: "restorePoint", name: "p2" }), "absent");
  });

  it("that several restore points bear is ambiguous", () => {
    const twice = parseWal(`${wal}\n${wal}`, 1);
    assert.deepEqual(compileTarget({ kind: "restorePoint", name: "p1" }, twice, base), {
      failure: "duplicate",
      count: 2,
    });
  });
});
