import assert from "node:assert/strict";
import type { MigrationsFolder } from "../../../operations/migrations/layouts/index.ts";
import { readerOf } from "../../../operations/migrations/layouts/index.ts";
import { readAhead } from "../../../operations/migrations/read-ahead.ts";
import type { Migration } from "../../../operations/migrations/types.ts";

describe("what is understood while the connections are made", () => {
  let asked: string[];
  beforeEach(() => {
    asked = [];
  });

  const file = (version: string, down: string): Migration => ({
    version,
    name: "x",
    file: `${version}_x.sql`,
    up: "",
    get down() {
      asked.push(version);
      return down;
    },
    verify: undefined,
    transactional: true,
    checksum: "",
  });
  const folder = (): MigrationsFolder => ({
    reader: readerOf("golang-migrate"),
    files: ["1", "2", "3"].map((version) => file(version, `DROP TABLE read_ahead_${version}`)),
    aside: [],
  });

  it("is the reversals of what lies behind the wanted version, newest first", async () => {
    await readAhead(Promise.resolve(folder()), "1", new AbortController().signal);
    assert.deepEqual([...new Set(asked)], ["3", "2"]);
  });

  it("is nothing once the plan is made, and nothing for a database that is not to change", async () => {
    await readAhead(Promise.resolve(folder()), "0", AbortSignal.abort());
    await readAhead(Promise.resolve(folder()), undefined, new AbortController().signal);
    assert.deepEqual(asked, []);
  });

  it("leaves it to the plan to refuse a text or a folder", async () => {
    const broken = { ...folder(), files: [file("1", "DROP TABEL x")] };
    await readAhead(Promise.resolve(broken), "0", new AbortController().signal);
    await readAhead(Promise.reject(new Error("no folder")), "0", new AbortController().signal);
    assert.deepEqual(asked.slice(0, 1), ["1"]);
  });
});
