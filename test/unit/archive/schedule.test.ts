import assert from "node:assert/strict";
import { dueBackup, nextBackup } from "../../../operations/archive/schedule.ts";

const schedule = { full: "0 3 * * 0", diff: "0 3 * * *", incr: "0 * * * *" };
const at = (text: string): number => Date.parse(`${text}Z`);

describe("the schedule of base backups", () => {
  it("begins with a full one, whatever the time", () => {
    assert.equal(dueBackup(schedule, [], new Date(at("2026-11-25T12:00:00"))), "full");
  });

  it("lets a full one stand in for all, a differential one for incremental ones", () => {
    const full = { type: "full", stoppedAt: at("2026-11-22T03:00:05") } as const;
    const diff = { type: "diff", stoppedAt: at("2026-11-23T03:00:05") } as const;
    assert.equal(dueBackup(schedule, [full], new Date(at("2026-11-22T03:30:00"))), undefined);
    assert.equal(dueBackup(schedule, [full], new Date(at("2026-11-22T04:00:00"))), "incr");
    assert.equal(dueBackup(schedule, [full], new Date(at("2026-11-23T03:00:00"))), "diff");
    assert.equal(dueBackup(schedule, [full, diff], new Date(at("2026-11-23T03:30:00"))), undefined);
    assert.equal(dueBackup(schedule, [full, diff], new Date(at("2026-11-29T03:00:00"))), "full");
  });

  it("knows the next time of any kind", () => {
    assert.deepEqual(
      nextBackup(schedule, new Date(at("2026-11-25T12:10:00"))),
      new Date(at("2026-11-25T13:00:00")),
    );
  });
});
