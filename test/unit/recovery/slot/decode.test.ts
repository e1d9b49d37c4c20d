import assert from "node:assert/strict";
import fc from "fast-check";
import { decode, UnreadableChange, type DecodedColumn } from "../../../../operations/recovery/slot/decode.ts";

const id = (value: string): DecodedColumn => ({ name: "id", type: "integer", value });

describe("what test_decoding prints", () => {
  it("is read with its types: quotes, nulls, bits, arrays and long values that were left alone", () => {
    const line =
      `table app."Odd ""Tab: x": UPDATE: "i d"[integer]:3 "N:[x]"[text]:'it''s [a]: ''b''\nnew-tuple: ' w["We]ird Ty""pe"]:'(1,"x""y")' ` +
      `n[numeric]:null f[double precision]:NaN b[boolean]:true bt[bit]:B'101' arr[text[]]:'{a,"b c",NULL}' body[text]:unchanged-toast-datum`;
    assert.deepEqual(decode(line), {
      change: "update",
      table: 'app."Odd ""Tab: x"',
      old: undefined,
      row: [
        { name: "i d", type: "integer", value: "3" },
        { name: "N:[x]", type: "text", value: "it's [a]: 'b'\nnew-tuple: " },
        { name: "w", type: '"We]ird Ty""pe"', value: '(1,"x""y")' },
        { name: "n", type: "numeric", value: null },
        { name: "f", type: "double precision", value: "NaN" },
        { name: "b", type: "boolean", value: "true" },
        { name: "bt", type: "bit", value: "101" },
        { name: "arr", type: "text[]", value: '{a,"b c",NULL}' },
        { name: "body", type: "text", value: undefined },
      ],
    });
  });

  it("tells the key a row had before from the row it is since", () => {
    assert.deepEqual(decode("table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2"), {
      ...{ change: "update", table: "public.t" },
      ...{ old: [id("1")], row: [id("2")] },
    });
    assert.deepEqual(decode("table public.t: INSERT: id[integer]:1"), {
      ...{ change: "insert", table: "public.t", old: undefined, row: [id("1")] },
    });
    assert.deepEqual(decode("table public.t: DELETE: id[integer]:1"), {
      ...{ change: "delete", table: "public.t", old: [id("1")], row: undefined },
    });
    assert.deepEqual(decode("table public.t: DELETE: (no-tuple-data)"), {
      ...{ change: "delete", table: "public.t", old: undefined, row: undefined },
    });
  });

  it("names each table of a TRUNCATE", () => {
    assert.deepEqual(decode('table public.a, "B, c".d: TRUNCATE: restart_seqs cascade'), {
      change: "truncate",
      tables: ["public.a", '"B, c".d'],
    });
  });

  it("is passed over where it is no change of rows, and never guessed at", () => {
    for (const line of ["BEGIN 735", "COMMIT 735 (at 2026-11-28 17:25:50+00)", "message: transactional: 1 x"])
      assert.equal(decode(line), undefined);
    for (const line of [
      "table public.t: MERGE: id[integer]:1",
      "table public.t: INSERT: id[integer]:'1",
      "table public.t: INSERT: id[integer]:1 and more",
      "table public.t: UPDATE: old-key: id[integer]:1",
      "table public.t: UPDATE: (no-tuple-data)",
      "table t: INSERT: id[integer]:1",
    ])
      assert.throws(() => decode(line), UnreadableChange, line);
  });

  it("gives any names and texts back as they were", () => {
    const quote = (text: string, mark: string): string =>
      `${mark}${text.replaceAll(mark, mark + mark)}${mark}`;
    const names = fc.string({ minLength: 1, unit: "grapheme" });
    const columns = fc.array(
      fc.record({ name: names, type: names, value: fc.string({ unit: "grapheme" }) }),
      {
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(names, names, columns, columns, (schema, table, old, row) => {
        const written = (list: typeof row): string =>
          list
            .map(({ name, type, value }) => ` ${quote(name, '"')}[${quote(type, '"')}]:${quote(value, "'")}`)
            .join("");
        const where = `${quote(schema, '"')}.${quote(table, '"')}`;
        const read = decode(`table ${where}: UPDATE: old-key:${written(old)} new-tuple:${written(row)}`);
        const typed = (list: typeof row): DecodedColumn[] =>
          list.map((each) => ({ ...each, type: quote(each.type, '"') }));
        assert.deepEqual(read, { change: "update", table: where, old: typed(old), row: typed(row) });
      }),
      { numRuns: 500 },
    );
  });
});
