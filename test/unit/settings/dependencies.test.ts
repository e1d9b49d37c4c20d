import assert from "node:assert/strict";
import fc from "fast-check";
import { inDependencyOrder } from "../../../settings/dependencies.ts";

describe("inDependencyOrder", () => {
  it("puts what is needed first and keeps the given order otherwise", () => {
    const needs = new Map([
      ["app", ["api"]],
      ["b", []],
      ["api", ["db"]],
      ["db", []],
    ]);
    assert.deepEqual(inDependencyOrder(needs), { order: ["db", "api", "app", "b"] });
  });

  it("names a cycle without what merely leads to it", () => {
    const needs = new Map([
      ["start", ["a"]],
      ["a", ["b"]],
      ["b", ["a"]],
    ]);
    assert.deepEqual(inDependencyOrder(needs), { cycle: ["a", "b", "a"] });
  });

  it("orders every graph that only points back", () => {
    const graphs = fc
      .array(fc.array(fc.nat(20)), { maxLength: 12 })
      .map(
        (rows) =>
          new Map(rows.map((row, index) => [String(index), row.filter((to) => to < index).map(String)])),
      );
    fc.assert(
      fc.property(graphs, (needs) => {
        const result = inDependencyOrder(needs);
        assert.ok("order" in result);
        assert.equal(new Set(result.order).size, needs.size);
        for (const [name, needed] of needs) {
          for (const each of needed) assert.ok(result.order.indexOf(each) < result.order.indexOf(name));
        }
      }),
    );
  });
});
