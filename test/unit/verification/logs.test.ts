import assert from "node:assert/strict";
import { errorLines, judgeLog } from "../../../operations/verification/logs.ts";

describe("errors in a container's log", () => {
  const log = 'started\n2026 ERROR no route\n{"level":"error","msg":"x"}\nno errors here';

  it("are the lines that hold one of the parts", () => {
    assert.deepEqual(errorLines(log, ["ERROR", '"level":"error"']), [
      "2026 ERROR no route",
      '{"level":"error","msg":"x"}',
    ]);
  });

  it("are counted and not judged without a limit", () => {
    assert.deepEqual(judgeLog("log app", ["a", "b"], undefined), {
      what: "log app",
      found: "2 errors, the last: b",
      wrong: [],
    });
  });

  it("fail above the limit, not at it", () => {
    assert.deepEqual(judgeLog("log app", ["a"], 1).wrong, []);
    assert.deepEqual(judgeLog("log app", ["a", "b"], 1).wrong, ["2 lines with errors, allowed are 1"]);
  });
});
