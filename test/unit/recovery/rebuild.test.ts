import assert from "node:assert/strict";
import { isRefusal } from "../../../settings/refusal.ts";
import type { BaseBackup } from "../../../operations/archive/info.ts";
import { orConfigured } from "../../../operations/recovery/checks.ts";
import { lastTimeline, parseDeadVolume, planRebuild } from "../../../operations/recovery/rebuild/source.ts";

const segment = (timeline: number, number: number): string =>
  [timeline, 0, number].map((part) => part.toString(16).toUpperCase().padStart(8, "0")).join("");
const backupOf = (timeline: number, start: string, stop: string): BaseBackup => ({
  ...{ label: `b${String(timeline)}`, type: "full", timeline, startLsn: start, stopLsn: stop },
  ...{ startSegment: segment(timeline, 2), stoppedAt: 0, size: 1, stored: 1 },
});

describe("a data directory whose server does not start", () => {
  it("is read as far as it can be", () => {
    const printed = [
      "17\n",
      "pg_control version number:            1700\nLatest checkpoint's TimeLineID:       3\n",
      `${segment(3, 5)}\n${segment(3, 6)}\n00000003.history\narchive_status\n`,
      `${segment(3, 5)}.ready\n${segment(3, 4)}.done\n00000003.history.ready\n`,
    ].join("--- next\n");
    const { version, control, segments, waiting } = parseDeadVolume(printed);
    assert.equal(version, "17");
    assert.equal(control.get("Latest checkpoint's TimeLineID"), "3");
    assert.deepEqual(segments, [segment(3, 5), segment(3, 6)]);
    assert.deepEqual(waiting, [segment(3, 5)]);
  });

  it("without control file, WAL or version has none", () => {
    const { version, control, segments, waiting } = parseDeadVolume("--- next\n--- next\n--- next\n");
    assert.deepEqual([version, control.size, segments, waiting], [undefined, 0, [], []]);
  });

  it("was on the timeline of its own WAL, whatever a killed recovery has left in the archive", () => {
    const none = { version: undefined, control: new Map<string, string>(), segments: [], waiting: [] };
    const archived = new Set([segment(1, 9), segment(4, 9)]);
    assert.equal(lastTimeline({ ...none, segments: [segment(2, 9), segment(3, 9)] }, archived), 3);
    const checkpoint = new Map([["Latest checkpoint's TimeLineID", "2"]]);
    assert.equal(lastTimeline({ ...none, control: checkpoint, segments: [segment(1, 9)] }, archived), 2);
    assert.equal(lastTimeline(none, archived), 4);
    assert.equal(lastTimeline(none, new Set()), 1);
  });
});

describe("settings that replay needs", () => {
  it("are the higher of what the control file tells and what is configured, or that alone where there is no file", () => {
    const settings = new Map([
      ["max_connections", "300"],
      ["max_worker_processes", "4"],
      ["work_mem", "64MB"],
    ]);
    const known = new Map([
      ["max_connections", 100],
      ["max_worker_processes", 8],
    ]);
    assert.deepEqual(Object.fromEntries(orConfigured(known, { settings })), {
      ...{ max_connections: 300, max_worker_processes: 8 },
    });
    assert.deepEqual(Object.fromEntries(orConfigured(new Map(), { settings })), {
      ...{ max_connections: 300, max_worker_processes: 4 },
    });
  });
});

describe("the plan to put it together again", () => {
  const source = {
    volume: { segments: [segment(1, 4), segment(1, 5)], waiting: [segment(1, 4)] },
    archived: new Set([segment(1, 2), segment(1, 3)]),
    backups: [backupOf(1, "0/2000028", "0/2000138")],
    ...{ timeline: 1, history: "", toGap: false },
  };
  const gapIn = (name: string) => (error: unknown) =>
    isRefusal(error, "WAL_GAP") && error.message.includes(name);

  it("begins with the newest base backup, and leads into the newest full segment, archived or not", () => {
    const plan = planRebuild(source);
    assert.deepEqual([plan.backup.label, plan.newest], ["b1", segment(1, 4)]);
    assert.deepEqual(plan.waiting, [segment(1, 4)]);
    const archived = new Set([...source.archived, segment(1, 4)]);
    assert.deepEqual(planRebuild({ ...source, archived }).waiting, []);
  });

  it("takes no backup of a timeline that leads elsewhere", () => {
    const elsewhere = backupOf(2, "0/3000028", "0/3000138");
    assert.equal(planRebuild({ ...source, backups: [...source.backups, elsewhere] }).backup.label, "b1");
    assert.throws(
      () => planRebuild({ ...source, backups: [elsewhere] }),
      (error) => isRefusal(error, "BEFORE_BACKUP_END"),
    );
  });

  it("is refused where a segment is neither here nor there, before the newest one or before its timeline was left", () => {
    const archived = new Set([segment(1, 2)]);
    assert.throws(() => planRebuild({ ...source, archived }), gapIn(segment(1, 3)));
    const forked = {
      ...{ ...source, volume: { segments: [segment(2, 4)], waiting: [] } },
      ...{ timeline: 2, history: "1\t0/4000000\tx\n" },
    };
    assert.throws(() => planRebuild({ ...forked, archived }), gapIn(segment(1, 3)));
    assert.equal(planRebuild(forked).newest, undefined);
  });

  it("may end at a gap where it is told so, but not before the base backup is consistent", () => {
    const archived = new Set([segment(1, 2)]);
    assert.equal(planRebuild({ ...source, archived, toGap: true }).newest, undefined);
    const long = [backupOf(1, "0/2000028", "0/3000138")];
    assert.throws(
      () => planRebuild({ ...source, archived, backups: long, toGap: true }),
      gapIn(segment(1, 3)),
    );
  });
});
