import assert from "node:assert/strict";
import { parseRunning, writesFrom } from "../../../operations/recovery/running.ts";
import { formatLsn, parseLsn, type Ending } from "../../../operations/recovery/wal.ts";

const running = parseRunning(
  "RUNNING 0/1000 740 740\nRUNNING 0/2000 745 742\nROWS 1\nRUNNING 0/3000 750 748\n",
);
const lost = (xid: string, subxids: readonly string[] = []): Ending => ({
  ...{ lsn: parseLsn("0/4000"), timeline: 1, xid, subxids, committed: true, time: "" },
});
const from = (...ends: readonly Ending[]): string => formatLsn(writesFrom(running, ends, parseLsn("0/500")));

describe("where the rows of what is left behind begin", () => {
  it("is the last note before any of these transactions had its id", () => {
    assert.equal(from(lost("751")), "0/2000");
    assert.equal(from(lost("745"), lost("751")), "0/2000");
    assert.equal(from(lost("744")), "0/1000");
    assert.equal(from(lost("751", ["741"])), "0/1000");
  });

  it("is moved back by a transaction that has not ended, whether it is left behind or not", () => {
    assert.equal(from(), "0/2000");
    const open = parseRunning("RUNNING 0/1000 740 740\nRUNNING 0/2000 745 742\nRUNNING 0/3000 750 741\n");
    assert.equal(formatLsn(writesFrom(open, [lost("751")], 0n)), "0/1000");
  });

  it("is the beginning where no note is old enough", () => {
    assert.equal(from(lost("739")), "0/500");
    assert.equal(writesFrom([], [lost("751")], 7n), 7n);
  });

  it("is found across the end of the numbers", () => {
    const round = parseRunning("RUNNING 0/1000 4294967290 4294967290\nRUNNING 0/2000 5 5\n");
    assert.equal(formatLsn(writesFrom(round, [lost("4294967295"), lost("9")], 0n)), "0/1000");
    assert.equal(formatLsn(writesFrom(round, [lost("9")], 0n)), "0/2000");
  });
});
