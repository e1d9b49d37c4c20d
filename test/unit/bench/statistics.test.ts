import assert from "node:assert/strict";
import fc from "fast-check";
import { ratioOf, rounded, summarise } from "../../../bench/statistics.ts";

describe("bench statistics", () => {
  it("take the middle of an odd number of values, whatever their order", () => {
    assert.deepEqual(summarise([30, 10, 20]), { median: 20, min: 10, max: 30, runs: 3 });
  });

  it("take the mean of the middle two of an even number", () => {
    assert.deepEqual(summarise([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4, runs: 4 });
  });

  it("sort by number, not by text", () => {
    assert.equal(summarise([9, 10, 100]).median, 10);
  });

  it("leave one value as it is", () => {
    assert.deepEqual(summarise([7]), { median: 7, min: 7, max: 7, runs: 1 });
  });

  it("do not invent anything where nothing was measured", () => {
    assert.throws(() => summarise([]), /nothing was measured/);
  });

  it("keep the median between the smallest and the largest, and do not change what they are given", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
        const before = [...values];
        const { min, median, max, runs } = summarise(values);
        assert.ok(min <= median && median <= max);
        assert.equal(runs, values.length);
        assert.deepEqual(values, before);
      }),
    );
  });

  it("say nothing of a ratio to nothing", () => {
    assert.equal(ratioOf(5, 0), null);
    assert.equal(ratioOf(0, 0), null);
    assert.equal(ratioOf(3, 2), 1.5);
  });

  it("round to what can be told from noise", () => {
    assert.deepEqual(
      [1234.56, 100.4, 99.96, 1.23456, 0.012345, 0].map(rounded),
      [1235, 100, 100, 1.23, 0.0123, 0],
    );
  });
});
