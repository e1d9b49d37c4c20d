import assert from "node:assert/strict";
import { copyProblems, gaps, verifyProblems } from "../../../operations/archive/verify.ts";

describe("what is found in an archive", () => {
  it("is nothing when pgBackRest finds all in order", () => {
    assert.deepEqual(verifyProblems("stanza: main\nstatus: ok\n"), []);
  });

  it("is what pgBackRest says of damaged files, though it exits with 0", () => {
    // pgBackRest 2.55 after a segment was cut short and a file of a backup was overwritten.
    const printed = `stanza: main
status: error
  archiveId: 17-1, total WAL checked: 8, total valid WAL: 7
    other: 1
  backup: 20261125-090132F, status: invalid, total files checked: 966, total valid files: 965
    checksum invalid: 1`;
    assert.deepEqual(verifyProblems(printed), [
      "archiveId: 17-1: 1 of 8 files are damaged (other: 1)",
      "backup: 20261125-090132F, status: invalid: 1 of 966 files are damaged (checksum invalid: 1)",
    ]);
  });

  it("is a backup whose manifest cannot be read", () => {
    const printed = `stanza: main
status: error
  backup: 20261128-173408F, status: invalid, total files checked: 0, total valid files: 0`;
    assert.deepEqual(verifyProblems(printed), [
      "backup: 20261128-173408F, status: invalid: it cannot be read",
    ]);
  });

  it("is a description that is gone, or is not what its copy says", () => {
    const printed = "a\t1\t1\nb\t-\t1\nc\t1\t-\nd\t-\t-\ne\t1\t2\n";
    assert.deepEqual(copyProblems(printed), [
      "b is gone or cannot be read; b.copy is used in its place",
      "c.copy is gone or cannot be read; c is used in its place",
      "d is gone or cannot be read, and so is its copy",
      "e and its copy differ: one of the two is damaged",
    ]);
  });

  it("is all that it says where that cannot be read", () => {
    assert.deepEqual(verifyProblems("status: error\nsomething new"), ["status: error", "something new"]);
  });

  it("names segments that are missing, which pgBackRest does not count, timeline by timeline", () => {
    const names = ["0000000100000000000000FE", "000000010000000100000001", "000000020000000100000001"];
    assert.deepEqual(gaps(names, []), ["WAL: 2 segments are missing, the first is 0000000100000000000000FF"]);
    assert.deepEqual(gaps(["000000010000000000000001", "000000010000000000000003"], []), [
      "WAL: 000000010000000000000002 is missing",
    ]);
    assert.deepEqual(gaps(["000000010000000000000001", "000000010000000000000002"], []), []);
  });

  it("names the segment that a base backup begins with, when that is missing", () => {
    assert.deepEqual(gaps(["000000010000000000000003"], [{ startSegment: "000000010000000000000002" }]), [
      "WAL: 000000010000000000000002 is missing",
    ]);
  });
});
