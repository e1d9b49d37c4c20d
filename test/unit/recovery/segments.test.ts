import assert from "node:assert/strict";
import {
  branches,
  forkSegments,
  segmentName,
  segmentsAlong,
  segmentStart,
  standIn,
  timelineAt,
} from "../../../operations/recovery/segments.ts";
import { forkOf } from "../../../operations/recovery/undo.ts";
import { parseLsn } from "../../../operations/recovery/wal.ts";

const way = branches(3, "1\t0/3879360\tno recovery target specified\n2\t0/5000100\tbefore 0/5000100\n");

describe("the way through timelines", () => {
  it("is read from the history file, and the last timeline has no end", () => {
    assert.deepEqual(way, [
      { timeline: 1, until: parseLsn("0/3879360") },
      { timeline: 2, until: parseLsn("0/5000100") },
      { timeline: 3, until: undefined },
    ]);
  });

  it("does not lead through what a recovery to an earlier point passed over", () => {
    const back = branches(3, "1\t0/5000100\tx\n2\t0/3879360\tbefore 0/3879360\n");
    const at = (lsn: string): number => timelineAt(back, parseLsn(lsn));
    assert.deepEqual([at("0/3879350"), at("0/3879360"), at("0/5000100")], [1, 3, 3]);
    assert.deepEqual(segmentsAlong(back, parseLsn("0/2000028"), parseLsn("0/5000200")), [
      "000000010000000000000002",
      ...["000000030000000000000003", "000000030000000000000004", "000000030000000000000005"],
    ]);
  });

  it("takes the segment of a fork from the newer timeline, whose copy begins with the older one's", () => {
    assert.deepEqual(segmentsAlong(way, parseLsn("0/2000028"), parseLsn("0/5000200")), [
      "000000010000000000000002",
      "000000020000000000000003",
      "000000020000000000000004",
      "000000030000000000000005",
    ]);
  });

  it("ends before a segment that is not there yet, as right after a switch", () => {
    const alone = branches(1, "");
    assert.deepEqual(segmentsAlong(alone, parseLsn("0/5000028"), parseLsn("0/6000000")), [
      "000000010000000000000005",
    ]);
  });

  it("has the older copies of the segments it forks in", () => {
    const names = (from: string, to: string): string[] => forkSegments(way, parseLsn(from), parseLsn(to));
    assert.deepEqual(names("0/2000028", "0/6000000"), [
      "000000010000000000000003",
      "000000020000000000000005",
    ]);
    assert.deepEqual(names("0/4000028", "0/5000000"), []);
  });

  it("has a stand-in for a segment that an old timeline was left in and never archived: the newer one's copy", () => {
    const archived = new Set(["000000020000000000000003"]);
    const at = (lsn: string, there = archived) => standIn(way, parseLsn(lsn), there);
    assert.deepEqual(at("0/3000028"), {
      ...{ segment: "000000010000000000000003", copy: "000000020000000000000003" },
    });
    assert.equal(at("0/3000028", new Set([...archived, "000000010000000000000003"])), undefined);
    assert.equal(at("0/4000028"), undefined, "not its last one");
    assert.equal(at("0/3879360"), undefined, "on the newer one");
    assert.equal(at("0/6000000"), undefined, "still being written");
  });

  it("knows on which timeline a position lies", () => {
    assert.deepEqual(
      ["0/3879350", "0/3879360", "0/6000000"].map((lsn) => timelineAt(way, parseLsn(lsn))),
      [1, 2, 3],
    );
  });

  it("names segments as PostgreSQL does, also beyond 4 GB", () => {
    assert.equal(segmentName(1, parseLsn("1/FF000028")), "0000000100000001000000FF");
    assert.equal(segmentStart("0000000100000001000000FF"), parseLsn("1/FF000000"));
  });

  it("parts from another where the first of both left the timeline they have in common", () => {
    const first = branches(2, "1\t0/3879360\tx");
    const undone = branches(3, "1\t0/4A1F810\tx");
    assert.equal(forkOf(first, undone), parseLsn("0/3879360"));
    assert.equal(forkOf(branches(1, ""), first), parseLsn("0/3879360"));
    assert.equal(forkOf(branches(1, ""), branches(2, "")), undefined);
  });
});
