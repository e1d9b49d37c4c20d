import assert from "node:assert/strict";
import { isCalm, seenSince } from "../../../bench/rollback/measure.ts";
import { heldMs, laidOut, runbook, stepTimes, type Timed } from "../../../bench/rollback/steps.ts";
import type { RequestRecord } from "../../support/load-report.ts";
import type { EngineEvent } from "../../support/stack-events.ts";

const answered = (startedAt: number, duration: number, release: string, status = 200): RequestRecord => ({
  startedAt,
  duration,
  method: "GET",
  path: "/api/logs",
  status,
  release,
});

describe("what clients saw of a way back", () => {
  const records = [
    answered(0, 10, "new", 500),
    answered(90, 1000, "old"),
    answered(100, 10, "new"),
    answered(300, 10, "old"),
    answered(400, 10, "new", 502),
    answered(1200, 10, "old"),
  ];

  it("counts from the moment it was asked for, with the requests under way at it", () => {
    const { failed, slowest, first, longestGap } = seenSince(records, "old", 95);
    assert.deepEqual([failed, slowest, first, longestGap], [1, 1000, 215, 780]);
  });

  it("tells when the release answered first and when it was alone", () => {
    const { all, strays } = seenSince(
      [...records, answered(1300, 10, "new"), answered(1400, 10, "old")],
      "old",
      95,
    );
    assert.deepEqual([all, strays], [1315, 1]);
  });

  it("is over when for a second every request was answered by the release", () => {
    assert.equal(isCalm([answered(0, 10, "new"), answered(2000, 10, "old")], "old"), true);
    assert.equal(isCalm([answered(1500, 10, "new"), answered(2000, 10, "old")], "old"), false);
    assert.equal(isCalm([answered(1500, 10, "old", 503), answered(2000, 10, "old")], "old"), false);
    assert.equal(isCalm([], "old"), false);
  });
});

describe("the steps of a run", () => {
  const step = (
    at: number,
    phase: "begins" | "done" | "failed",
    type: string,
    name: string,
    op = "update",
  ): Timed => {
    const event: EngineEvent = { kind: "step", phase, op, type, name };
    return { at, event };
  };
  const stash = "pulumi:index:Stash";
  const container = "docker:index/container:Container";

  it("are timed from their beginning to their end, and so is what comes before them", () => {
    const times = stepTimes(1000, [
      step(2000, "begins", stash, "fence"),
      step(2100, "done", stash, "fence"),
      step(2100, "begins", stash, "schema"),
      step(2400, "done", stash, "schema"),
    ]);
    assert.deepEqual(times, [
      { step: "until the first step", ms: 1000 },
      { step: "fence", ms: 100 },
      { step: "schema", ms: 300 },
    ]);
  });

  it("count several containers as one, from the first to the last, and leave out what stays the same", () => {
    const times = stepTimes(0, [
      step(10, "begins", container, "router", "same"),
      step(20, "done", container, "router", "same"),
      step(30, "begins", container, "a", "create"),
      step(40, "begins", container, "b", "create"),
      step(70, "done", container, "a", "create"),
      step(90, "done", container, "b", "create"),
    ]);
    assert.deepEqual(times, [
      { step: "until the first step", ms: 30 },
      { step: "create containers", ms: 60 },
    ]);
  });

  it("are none in a run that changed nothing", () => {
    assert.deepEqual(stepTimes(0, [step(10, "begins", stash, "fence", "same")]), []);
  });

  it("can be laid side by side, whatever a run needed", () => {
    const times = laidOut([
      { step: "schema", ms: 300 },
      { step: "something new", ms: 5 },
      { step: "fence", ms: 100 },
    ]);
    assert.deepEqual(
      times.map(({ step }) => step),
      [...runbook, "something new"],
    );
    assert.deepEqual(
      times.filter(({ ms }) => ms > 0).map(({ ms }) => ms),
      [100, 300, 5],
    );
  });

  it("tell for how long requests were held", () => {
    assert.equal(heldMs(["traffic goes to 1.2.1 100 %", "requests were held for 1.25 s"]), 1250);
    assert.equal(heldMs(["traffic goes to 1.2.1 100 %"]), 0);
  });
});
