import assert from "node:assert/strict";
import fc from "fast-check";
import {
  allocate,
  chooseSubnet,
  overlap,
  rangeOf,
  reservedAddress,
  toAddress,
  toNumber,
} from "../../../operations/plan/addresses.ts";

describe("addresses of the stack's network", () => {
  it("are numbers and text of the same thing", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (n) => toNumber(toAddress(n)) === n));
  });

  it("know which subnets overlap", () => {
    assert.equal(overlap("10.64.0.0/20", "10.64.15.0/24"), true);
    assert.equal(overlap("10.64.0.0/20", "10.64.16.0/20"), false);
    assert.equal(overlap("0.0.0.0/0", "10.64.0.0/20"), true);
  });

  it("come from a subnet that is the stack's at each run and nobody else's", () => {
    const first = chooseSubnet("rollback-prod", []);
    assert.equal(first, chooseSubnet("rollback-prod", ["172.17.0.0/16"]));
    assert.ok(first !== undefined);
    const second = chooseSubnet("rollback-prod", [first]);
    assert.ok(second !== undefined && !overlap(first, second));
    assert.equal(chooseSubnet("rollback-prod", ["10.64.0.0/10"]), undefined);
  });

  it("are given once each, above the reserved ones, in any order of names", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 200 }), (names) => {
        const given = allocate(names, "10.64.0.0/23", new Map());
        assert.equal(new Set(given.values()).size, names.length);
        assert.deepEqual(given, allocate([...names].reverse(), "10.64.0.0/23", new Map()));
        const { first, size } = rangeOf("10.64.0.0/23");
        for (const address of given.values()) {
          assert.ok(toNumber(address) >= first + 32 && toNumber(address) < first + size - 1);
        }
      }),
    );
  });

  it("stay with a container that exists, and are taken from nobody", () => {
    const wished = allocate(["b"], "10.64.0.0/20", new Map()).get("b") ?? "";
    const given = allocate(["a", "b"], "10.64.0.0/20", new Map([["a", wished]]));
    assert.equal(given.get("a"), wished);
    assert.notEqual(given.get("b"), wished);
  });

  it("of the stack's own parts are fixed", () => {
    assert.equal(reservedAddress("10.64.16.0/20", "door"), "10.64.16.2");
    assert.equal(reservedAddress("10.64.16.0/20", "router"), "10.64.16.3");
    assert.equal(reservedAddress("10.64.16.0/20", { cache: 1 }), "10.64.16.6");
  });
});
