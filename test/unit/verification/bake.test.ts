import assert from "node:assert/strict";
import { attemptsOf, judgeAttempts } from "../../../operations/verification/bake.ts";

const limits = { errorRate: 5, responseTime: 5000 };

function logLine(upstreamStatus: string, upstreamSeconds: string, release = "1.2.1"): string {
  return JSON.stringify({ release, upstreamStatus, upstreamSeconds, status: 200 });
}

describe("the bake time's measurements", () => {
  it("count every attempt, so that a retry hides nothing", () => {
    assert.deepEqual(attemptsOf(logLine("502, 200", "0.001, 0.020")), [
      { release: "1.2.1", status: 502, seconds: 0.001 },
      { release: "1.2.1", status: 200, seconds: 0.02 },
    ]);
  });

  it("count an attempt for its own release, not for the one that made up for it", () => {
    const made = {
      release: "1.2.0",
      releases: "1.2.1, 1.2.0, ",
      upstreamStatus: "502, 200",
      upstreamSeconds: "0, 0.02",
    };
    assert.deepEqual(attemptsOf(JSON.stringify(made)), [
      { release: "1.2.1", status: 502, seconds: 0 },
      { release: "1.2.0", status: 200, seconds: 0.02 },
    ]);
  });

  it("pass over streams: how long somebody listened is no response time", () => {
    const line = { release: "1.2.1", upstreamStatus: "101", upstreamSeconds: "60" };
    assert.deepEqual(attemptsOf(JSON.stringify({ ...line, stream: "1" })), []);
    assert.equal(attemptsOf(JSON.stringify({ ...line, stream: "0" })).length, 1);
  });

  it("take no answer for an error, and pass over what is no entry", () => {
    assert.deepEqual(
      attemptsOf(["2026/11/23 [warn] x", "{broken", logLine("-", "-"), logLine("200", "0.1", "")].join("\n")),
      [{ release: "1.2.1", status: 0, seconds: 0 }],
    );
  });

  it("are judged by release", () => {
    const good = Array.from({ length: 95 }, () => ({ release: "1.2.0", status: 200, seconds: 0.01 }));
    const bad = Array.from({ length: 6 }, () => ({ release: "1.2.1", status: 500, seconds: 6 }));
    const [old, fresh, idle] = judgeAttempts([...good, ...bad], ["1.2.0", "1.2.1", "1.3.0"], limits);
    assert.deepEqual(old?.wrong, []);
    assert.deepEqual(fresh?.wrong, ["more than 5 % errors", "slower than 5000 ms"]);
    assert.equal(idle?.found, "no requests to judge by");
    assert.deepEqual(idle.wrong, []);
  });

  it("allow errors up to the threshold", () => {
    const attempts = Array.from({ length: 100 }, (_, n) => ({
      release: "a",
      status: n < 5 ? 500 : 200,
      seconds: 0,
    }));
    assert.deepEqual(judgeAttempts(attempts, ["a"], limits)[0]?.wrong, []);
  });
});
