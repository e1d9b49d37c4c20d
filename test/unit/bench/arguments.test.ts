import assert from "node:assert/strict";
import { benchArguments } from "../../../bench/arguments.ts";
import { benches } from "../../../bench/registry.ts";
import type { Bench } from "../../../bench/report.ts";
import { teardown } from "../../../bench/teardown.ts";

const all: Bench[] = ["rollback", "recovery"].map((name) => ({
  name,
  about: name,
  run: () => Promise.resolve(),
}));

/** The arguments as read, with what was printed to stderr meanwhile kept from the test's output. */
function read(...argv: string[]) {
  const write = process.stderr.write.bind(process.stderr);
  const before = process.exitCode;
  process.stderr.write = () => true;
  try {
    const asked = benchArguments(argv, all);
    return { asked, exitCode: process.exitCode };
  } finally {
    process.stderr.write = write;
    process.exitCode = before;
  }
}

describe("npm run bench", () => {
  it("runs everything, three times each, and prints tables", () => {
    const { asked } = read();
    assert.deepEqual(
      [asked?.benches.map(({ name }) => name), asked?.runs, asked?.json],
      [["rollback", "recovery"], 3, false],
    );
  });

  it("runs what is named, as often as asked, and prints JSON", () => {
    const { asked } = read("recovery", "--runs", "1", "--json");
    assert.deepEqual(
      [asked?.benches.map(({ name }) => name), asked?.runs, asked?.json],
      [["recovery"], 1, true],
    );
  });

  it("refuses a name that there is not, and a number of runs that is none", () => {
    for (const argv of [["recover"], ["--runs", "0"], ["--runs", "two"]]) {
      const { asked, exitCode } = read(...argv);
      assert.equal(asked, undefined);
      assert.notEqual(exitCode ?? 0, 0);
    }
  });

  it("has names that are told apart", () => {
    assert.equal(new Set(benches.map(({ name }) => name)).size, benches.length);
  });
});

describe("what a bench leaves", () => {
  it("is removed in reverse order, once, also when one removal fails", async () => {
    const order: string[] = [];
    const said: string[] = [];
    const { defer, run } = teardown((line) => said.push(line));
    const removed = (what: string) => () => {
      order.push(what);
      return Promise.resolve();
    };
    defer("first", removed("first"));
    defer("second", () => Promise.reject(new Error("busy")));
    defer("third", removed("third"));
    await assert.rejects(Promise.all([run(), run()]), /not everything was removed/);
    await run();
    assert.deepEqual(order, ["third", "first"]);
    assert.deepEqual(said, ["could not remove second: busy"]);
  });
});
