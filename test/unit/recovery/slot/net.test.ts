import assert from "node:assert/strict";
import fc from "fast-check";
import { parseExactly } from "../../../../operations/recovery/exact-json.ts";
import { putTogether } from "../../../../operations/recovery/salvaged.ts";
import { castType, type Change, type Row } from "../../../../operations/recovery/slot/changes.ts";
import { emptyNet, follow, outcome, type Net } from "../../../../operations/recovery/slot/net.ts";

const change = (kind: Change["change"], parts: Partial<Change>): Change => ({
  ...{ xid: "1", at: "", table: "public.t", change: kind },
  ...parts,
});
const netOf = (key: string[], changes: readonly Change[]): Net => {
  const net = emptyNet(key);
  for (const each of changes) follow(net, each);
  return net;
};

describe("what the changes of a table come to", () => {
  it("is the state of a table that really went through them, for any sequence", () => {
    const id = fc.integer({ min: 0, max: 4 });
    const step = fc.record({
      act: fc.constantFrom("insert", "update", "move", "delete"),
      id,
      to: id,
      v: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.uniqueArray(id), fc.array(step, { maxLength: 30 }), (there, steps) => {
        const before = new Map<number, Row>(
          there.map((n) => [n, { id: n, v: -1, long: `long ${String(n)}` }]),
        );
        const now = new Map(before);
        const changes: Change[] = [];
        for (const { act, id: n, to, v } of steps) {
          const row = now.get(n);
          if (act === "insert" && row === undefined) {
            now.set(n, { id: n, v, long: "new" });
            changes.push(change("insert", { row: { id: n, v, long: "new" } }));
          } else if (act === "update" && row !== undefined) {
            now.set(n, { ...row, v });
            changes.push(change("update", { row: { id: n, v }, unchanged: ["long"] }));
          } else if (act === "move" && row !== undefined && !now.has(to)) {
            now.delete(n);
            now.set(to, { ...row, id: to });
            changes.push(
              change("update", { old: { id: n }, row: { id: to, v: row["v"] }, unchanged: ["long"] }),
            );
          } else if (act === "delete" && row !== undefined) {
            now.delete(n);
            changes.push(change("delete", { old: { id: n } }));
          }
        }
        const net = netOf(["id"], changes);
        const { written, gone } = outcome(net);
        const result = new Map(before);
        for (const { id: n } of gone) result.delete(Number(n));
        for (const { row, missing, origin } of written.values()) {
          const source = origin === undefined ? undefined : before.get(Number(origin["id"]));
          const filled = Object.fromEntries(missing.map((name) => [name, source?.[name]]));
          result.set(Number(row["id"]), { ...filled, ...row });
        }
        const sorted = (rows: ReadonlyMap<number, Row>) =>
          [...rows.values()].map(({ id: n, v, long }) => [n, v, long]).sort();
        assert.deepEqual(sorted(result), sorted(now));
        assert.equal(new Set(gone.map(({ id: n }) => n)).size, gone.length, "each row is deleted once");
        for (const { id: n } of gone) assert.ok(before.has(Number(n)), "what was not there need not go");
      }),
      { numRuns: 1000 },
    );
  });

  it("counts a TRUNCATE and keeps what was written before it", () => {
    const net = netOf(["id"], [change("insert", { row: { id: 1 } }), change("truncate", {})]);
    assert.equal(net.truncates, 1);
    assert.deepEqual(
      [...outcome(net).written.values()].map(({ row }) => row),
      [{ id: 1 }],
    );
  });
});

describe("rows as they stand and changes on record", () => {
  const stands = { key: ["id"], written: [{ id: 1, v: "stands" }], deleted: [{ id: 8 }, { id: 9 }] };
  const recorded = (net: Net) => ({ net, deleted: [{ id: 9, v: "was" }], filled: new Map<string, Row>() });
  const net = netOf(
    ["id"],
    [
      change("update", { row: { id: 1 }, unchanged: ["v"] }),
      change("insert", { row: { id: 2, v: "emptied since" } }),
      change("delete", { old: { id: 9 } }),
    ],
  );

  it("are what is on record where all of it is, with whole rows from where they stand", () => {
    assert.deepEqual(putTogether(stands, recorded(net), true), {
      key: ["id"],
      written: [
        { id: 1, v: "stands" },
        { id: 2, v: "emptied since" },
      ],
      deleted: [{ id: 9, v: "was" }],
    });
  });

  it("are both where only the later part is on record, each row once", () => {
    const { written, deleted } = putTogether(
      { ...stands, written: [...stands.written, { id: 3, v: "earlier" }] },
      recorded(net),
      false,
    );
    assert.deepEqual(
      written.map(({ id }) => id),
      [1, 2, 3],
    );
    assert.deepEqual(
      deleted.map(({ id }) => id),
      [9, 8],
    );
  });

  it("are what stands where rows cannot be told apart, and what is on record where nothing stands", () => {
    const loose = netOf([], [change("insert", { row: { a: 1 } }), change("update", { row: { a: 2 } })]);
    const keyless = { key: [], written: [{ a: 2 }], deleted: [] };
    assert.deepEqual(putTogether(keyless, recorded(loose), true), keyless);
    assert.deepEqual(putTogether(undefined, recorded(loose), true).written, [{ a: 1 }, { a: 2 }]);
    assert.deepEqual(putTogether(stands, undefined, true), stands);
  });
});

describe("values on their way", () => {
  it("are cast without the length 1 that a bare name means", () => {
    assert.deepEqual(
      ["character", "character[]", "bit", "bit[]", "character varying", "bit varying", "text"].map(castType),
      ["bpchar", "bpchar[]", '"bit"', '"bit"[]', "character varying", "bit varying", "text"],
    );
  });

  it("are numbers to the last digit when they are written again", () => {
    const text =
      '{"id":9007199254740993,"n":1.10,"f":1e400,"deep":[{"x":-0}],"text":"9007199254740993","plain":12}';
    assert.equal(JSON.stringify(parseExactly(text)), text);
  });
});
