import assert from "node:assert/strict";
import { between, reportOf, switchTo, type RequestRecord } from "../../support/load-report.ts";

const get = (startedAt: number, duration: number, more: Partial<RequestRecord> = {}): RequestRecord => ({
  startedAt,
  duration,
  method: "GET",
  path: "/",
  status: 200,
  ...more,
});
/** Without an answer. */
const broken = (startedAt: number, duration: number, error: string): RequestRecord => ({
  startedAt,
  duration,
  method: "GET",
  path: "/",
  error,
});

describe("reportOf", () => {
  it("has figures for nothing at all", () => {
    const report = reportOf([]);
    assert.deepEqual(
      [report.requests, report.failed, report.length, report.longestGap, report.p99, report.byRelease.length],
      [0, 0, 0, 0, 0, 0],
    );
  });

  it("counts what is not a 2xx answer as failed, by status or error code, most frequent first", () => {
    const report = reportOf([
      get(0, 1),
      get(1, 1, { status: 503 }),
      broken(2, 1, "ECONNRESET"),
      broken(3, 1, "ECONNRESET"),
    ]);
    assert.equal(report.failed, 3);
    assert.deepEqual(report.failures, [
      { why: "ECONNRESET", count: 2 },
      { why: "503", count: 1 },
    ]);
  });

  it("takes the longest gap between the ends of successes, whatever order they were recorded in", () => {
    const report = reportOf([get(900, 100), get(0, 100), get(150, 50), get(450, 10, { status: 502 })]);
    assert.equal(report.longestGap, 800);
  });

  it("counts the time before the first and after the last success as gaps", () => {
    assert.equal(reportOf([broken(0, 300, "ECONNREFUSED"), get(300, 10)]).longestGap, 310);
    assert.equal(reportOf([get(0, 10), broken(20, 480, "TIMEOUT")]).longestGap, 490);
    assert.equal(reportOf([broken(0, 70, "TIMEOUT")]).longestGap, 70);
  });

  it("counts a request as held when it took longer than the threshold", () => {
    const records = [get(0, 250), get(0, 251), get(0, 900)];
    assert.equal(reportOf(records).held, 2);
    assert.equal(reportOf(records, [], 500).held, 1);
  });

  it("gives percentiles by nearest rank over what was answered", () => {
    const records = Array.from({ length: 200 }, (_, i) => get(i, i + 1));
    const report = reportOf([...records, broken(0, 99_999, "TIMEOUT")]);
    assert.deepEqual([report.p50, report.p99, report.slowest], [100, 198, 200]);
  });

  it("tells when each release answered first and last", () => {
    const report = reportOf([
      get(30, 5, { release: "1.2.0" }),
      get(0, 5, { release: "1.2.1" }),
      get(10, 15, { release: "1.2.1", status: 500 }),
      get(50, 1),
    ]);
    assert.deepEqual(report.byRelease, [
      { release: "1.2.1", answers: 2, firstAt: 5, lastAt: 25 },
      { release: "1.2.0", answers: 1, firstAt: 35, lastAt: 35 },
      { release: "unknown", answers: 1, firstAt: 51, lastAt: 51 },
    ]);
  });

  it("lists only writes that were acknowledged with 201", () => {
    const report = reportOf([
      get(0, 1, { method: "POST", status: 201, id: "a" }),
      get(0, 1, { method: "POST", status: 200, id: "b" }),
      get(0, 1, { method: "POST", status: 503, id: "c" }),
      { ...broken(0, 1, "ECONNRESET"), id: "d" },
    ]);
    assert.deepEqual(report.acknowledged, ["a"]);
  });
});

describe("switchTo", () => {
  const old = (at: number, duration = 1) => get(at, duration, { release: "1.2.0" });
  const bad = (at: number, duration = 1) => get(at, duration, { release: "1.2.1" });

  it("tells when the arriving release answered first and when it was alone", () => {
    assert.deepEqual(
      switchTo([bad(90), bad(110), old(120), bad(119, 11), old(140), old(150)], "1.2.0", 100),
      {
        first: 21,
        all: 41,
        strays: 0,
      },
    );
  });

  it("counts answers of the leaving release to requests sent after the arriving one had answered", () => {
    assert.equal(switchTo([old(100), bad(105), bad(100, 30), old(140)], "1.2.0", 100).strays, 1);
  });

  it("does not look at what was answered before, nor at failures", () => {
    const failure = get(130, 1, { release: "1.2.1", status: 502 });
    assert.deepEqual(switchTo([bad(10), old(120), failure], "1.2.0", 100), { first: 21, all: 21, strays: 0 });
  });

  it("says so when the release never came, or never was alone", () => {
    assert.deepEqual(switchTo([bad(110)], "1.2.0", 100), { first: undefined, all: undefined, strays: 0 });
    assert.equal(switchTo([old(110), bad(120)], "1.2.0", 100).all, undefined);
  });
});

describe("between", () => {
  it("keeps what was sent in the span, its end left out", () => {
    const records = [get(0, 100), get(10, 1), get(20, 1)];
    assert.deepEqual(between(records, 10, 20), [records[1]]);
    assert.deepEqual(between(records, 10), [records[1], records[2]]);
  });
});
