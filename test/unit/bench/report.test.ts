import assert from "node:assert/strict";
import { collector } from "../../../bench/report.ts";

describe("a bench's report", () => {
  it("gives a metric that was measured once as it is, without a range", () => {
    const { sample, results } = collector("rollback");
    sample("ours", "longest gap", "ms", 120);
    assert.deepEqual(results(), [
      {
        bench: "rollback",
        case: "ours",
        metric: "longest gap",
        unit: "ms",
        value: 120,
        baseline: null,
        ratio: null,
        runs: 1,
        against: null,
      },
    ]);
  });

  it("gives a repeated metric as its median, with the smallest and the largest", () => {
    const { sample, results } = collector("rollback");
    for (const value of [300, 100, 200]) sample("ours", "longest gap", "ms", value);
    const [result] = results();
    assert.deepEqual(
      [result?.value, result?.min, result?.median, result?.max, result?.runs],
      [200, 100, 200, 300, 3],
    );
  });

  it("compares metric by metric, also with a case that is measured later", () => {
    const { sample, compare, results } = collector("rollback");
    compare("ours", "naive");
    sample("ours", "all answers", "ms", 1100);
    sample("ours", "failed requests", "count", 0);
    sample("naive", "all answers", "ms", 5500);
    sample("naive", "failed requests", "count", 145);
    const [all, failed, naive] = results();
    assert.deepEqual([all?.baseline, all?.ratio, all?.against], [5500, 0.2, "naive"]);
    assert.deepEqual([failed?.baseline, failed?.ratio], [145, 0]);
    assert.deepEqual([naive?.baseline, naive?.ratio, naive?.against], [null, null, null]);
  });

  it("has no ratio to a baseline of nothing, but shows the baseline", () => {
    const { sample, compare, results } = collector("rollback");
    sample("ours", "rows lost", "count", 0);
    sample("naive", "rows lost", "count", 0);
    compare("ours", "naive");
    const [lost] = results();
    assert.deepEqual([lost?.baseline, lost?.ratio], [0, null]);
  });

  it("has no baseline for a metric that the other case does not have", () => {
    const { sample, compare, results } = collector("rollback");
    sample("ours", "held", "ms", 0);
    sample("naive", "all answers", "ms", 5500);
    compare("ours", "naive");
    assert.equal(results()[0]?.baseline, null);
    assert.equal(results()[0]?.against, null);
  });

  it("takes the ratio of the medians, not of what they are rounded to", () => {
    const { sample, compare, results } = collector("rollback");
    sample("ours", "command", "ms", 1299.6);
    sample("plain", "command", "ms", 1000.4);
    compare("ours", "plain");
    assert.equal(results()[0]?.ratio, 1.3);
  });
});
