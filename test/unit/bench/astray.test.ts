import assert from "node:assert/strict";
import { astray } from "../../../bench/switching/astray.ts";

describe("requests that were held and went to the release that leaves", () => {
  const since = 1_000_000;
  /** A request of `seconds` that was over at `time`, in seconds as the router logs them. */
  const line = (release: string, held: number, time: number, seconds = 0.01): string =>
    JSON.stringify({ time, seconds, held: String(held), release, path: "/api/logs", status: 200 });
  const found = (...lines: readonly string[]): number => astray(lines.join("\n"), "1.2.0", since).length;

  it("are those that waited, were let through in this switch, and were answered by another", () => {
    assert.equal(found(line("1.2.1", 300, 1_000.5), line("1.2.1", 1, 1_000.5)), 2);
    assert.equal(found(line("1.2.0", 300, 1_000.5)), 0);
  });

  it("are not those that passed at once, nor those of an earlier hold, however late these end", () => {
    assert.equal(found(line("1.2.1", 0, 1_000.5)), 0);
    assert.equal(found(line("1.2.1", 300, 1_003, 20)), 0);
    assert.equal(found(line("1.2.1", 300, 1_003, 2)), 1);
  });

  it("are not looked for in what nginx says beside its log", () => {
    assert.equal(found("2026/01/01 10:00:00 [warn] 7#7: held", "", line("1.2.1", 9, 1_000.5)), 1);
  });
});
