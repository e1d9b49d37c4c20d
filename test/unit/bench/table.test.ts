import assert from "node:assert/strict";
import type { Machine } from "../../../bench/machine.ts";
import { collector, type Result } from "../../../bench/report.ts";
import { cell, machineLine, shown, tables } from "../../../bench/table.ts";

const machine: Machine = {
  cores: 2,
  memory: 8 * 2 ** 30,
  kernel: "Linux 6.1",
  docker: "20.10",
  node: "24.1.0",
  postgres: "17.5",
  pulumi: "3.259.0",
};

function figures(): Result[] {
  const { sample, compare, results } = collector("rollback");
  for (const [ours, naive] of [
    [900, 5000],
    [1100, 6000],
  ] as const) {
    sample("code only", "failed requests", "count", 0);
    sample("code only", "all answers", "ms", ours);
    sample("naive", "failed requests", "count", 145);
    sample("naive", "all answers", "ms", naive);
  }
  sample("engine", "command", "ms", 240);
  compare("code only", "naive");
  return results();
}

describe("a bench's tables", () => {
  it("show times in the unit in which they are read best, and counts without one", () => {
    assert.deepEqual(
      [27, 999, 1000, 5480, 10_600].map((value) => shown(value, "ms")),
      ["27 ms", "999 ms", "1.00 s", "5.48 s", "10.6 s"],
    );
    assert.equal(shown(1392, "count"), "1392");
  });

  it("show the range only where there is one, and the ratio only where there is a baseline", () => {
    const [failed, all] = figures();
    assert.ok(failed !== undefined && all !== undefined);
    assert.equal(cell(failed), "0\n× 0");
    assert.equal(cell(all), "1.00 s\n900 ms – 1.10 s\n× 0.182");
  });

  it("put cases with the same metrics into one table and others into their own", () => {
    const text = tables(figures());
    assert.equal(text.split("\n\n").length, 2);
    const [first = "", second = ""] = text.split("\n\n");
    assert.match(first, /code only[\s\S]*naive/);
    assert.match(first, /× against: naive/);
    assert.doesNotMatch(first, /engine/);
    assert.match(second, /engine.*240 ms/);
  });

  it("lay many metrics out downwards", () => {
    const { sample, results } = collector("rollback");
    for (let n = 1; n <= 10; n += 1) for (const name of ["a", "b"]) sample(name, `step ${n}`, "ms", n);
    const text = tables(results());
    assert.match(text, /│ rollback │ +a │ +b │/);
    assert.match(text, /│ step 10 +│ 10 ms │ 10 ms │/);
  });

  it("say what they were measured on and how often", () => {
    assert.match(
      machineLine(machine, 3),
      /2 cores, 8\.0 GiB, Linux 6\.1; Docker 20\.10, Node 24\.1\.0.*up to 3 runs/,
    );
    assert.match(machineLine(machine, 1), /One run\./);
  });

  it("are as good as JSON: nothing in it is lost or not a number", () => {
    const again: unknown = JSON.parse(JSON.stringify({ machine, results: figures() }));
    assert.deepEqual(again, { machine, results: figures() });
  });
});
