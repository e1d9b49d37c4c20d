import assert from "node:assert/strict";
import { pauseAfter, withNews, type Told } from "../../../operations/monitor/told.ts";

const about = { stack: "meals/prod", at: "2026-01-15T12:00:00.000Z" };
const nothing: Told = { trouble: undefined, waiting: [] };
const trouble = { about: "errors", message: "60 requests, 20 % errors" };
const kinds = ({ waiting }: Told): string[] => waiting.map(({ kind }) => kind);

describe("what the monitor tells", () => {
  it("is told once for the same trouble, and that it is over", () => {
    const first = withNews(nothing, { trouble, wentBack: undefined }, about);
    assert.deepEqual(kinds(first), ["alert"]);
    const arrived = { ...first, waiting: [] };
    const still = { ...trouble, message: "70 requests, 25 % errors" };
    assert.deepEqual(kinds(withNews(arrived, { trouble: still, wentBack: undefined }, about)), []);
    assert.deepEqual(kinds(withNews(arrived, { trouble: undefined, wentBack: undefined }, about)), ["well"]);
  });

  it("waits until it has arrived", () => {
    const first = withNews(nothing, { trouble, wentBack: undefined }, about);
    const second = withNews(first, { trouble: undefined, wentBack: "went back to 1.2.0" }, about);
    assert.deepEqual(kinds(second), ["alert", "went back"]);
  });

  it("is tried ever less often while looks fail, but every five minutes at least", () => {
    assert.deepEqual(
      [0, 1, 2, 9].map((failures) => pauseAfter(failures, 15_000)),
      [15_000, 30_000, 60_000, 300_000],
    );
    assert.equal(pauseAfter(3, 600_000), 600_000);
  });
});
