import assert from "node:assert/strict";
import { lookArguments } from "../../../operations/recovery/look/place.ts";
import { moveBetween, stopEarly } from "../../../operations/recovery/look/look.ts";
import type { CompiledTarget } from "../../../operations/recovery/compile.ts";
import type { Ending } from "../../../operations/recovery/wal.ts";
import { parseTarget } from "../../../settings/target-text.ts";
import { settingsOf } from "../plan/fixture.ts";

describe("a target as a person types it", () => {
  for (const [text, target] of [
    ["before=1.10", { kind: "before", release: "1.10" }],
    ['{ before: "1.2.1" }', { kind: "before", release: "1.2.1" }],
    ["before: 1.10", { kind: "before", release: "1.10" }],
    ["xid=740", { kind: "xid", xid: "740" }],
    ["lsn=0/16B3748", { kind: "lsn", lsn: "0/16B3748" }],
    ["restorePoint=a=b", { kind: "restorePoint", name: "a=b" }],
    ["time=2026-11-22T10:00:00.5+01:00", { kind: "time", time: "2026-11-22 09:00:00.5+00" }],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(parseTarget(text), target));
  }

  for (const text of ["", "yesterday", "time=2026-11-22 09:00:00", "xid=0", "{ xid: 1, lsn: 0/1 }", "{"]) {
    it(`says what is wrong with ${JSON.stringify(text)}`, () => assert.ok("mistake" in parseTarget(text)));
  }
});

describe("where an instance to look at goes on from", () => {
  const at = (lsn: string, inclusive = false, timeline = 1): Parameters<typeof moveBetween>[1] => ({
    ...{ lsn, inclusive, timeline },
  });

  it("moves on to what is later, and stays at the same place", () => {
    assert.equal(moveBetween(at("0/10"), at("0/11")), "move");
    assert.equal(moveBetween(at("0/FFFFFFFF"), at("1/0")), "move");
    assert.equal(moveBetween(at("0/10"), at("0/10", true)), "move");
    assert.equal(moveBetween(at("0/10"), at("0/10")), "stay");
  });

  it("restores for what is earlier, for another timeline, and when there is nothing", () => {
    assert.equal(moveBetween(at("0/11"), at("0/10", true)), "restore");
    assert.equal(moveBetween(at("0/10", true), at("0/10")), "restore");
    assert.equal(moveBetween(at("0/10"), at("0/11", false, 2)), "restore");
    assert.equal(moveBetween(undefined, at("0/10")), "restore");
  });
});

describe("where an instance stops", () => {
  const ending = (lsn: bigint): Ending => ({
    ...{
      lsn,
      timeline: 1,
      xid: String(lsn),
      subxids: [],
      committed: true,
      time: "2026-11-25 06:00:00.000000",
    },
  });
  const target = (lsn: bigint, inclusive = false): CompiledTarget => ({
    ...{ lsn, inclusive, last: undefined, lastTime: undefined, lost: [] },
  });

  it("is right after the last transaction that is in it, so that the next one holds no table yet", () => {
    const { lsn, inclusive } = stopEarly(target(30n), [ending(10n), ending(20n), ending(30n)], 5n);
    assert.deepEqual([lsn, inclusive], [20n, true]);
  });

  it("stays where it was planned when there is none after the base backup", () => {
    assert.equal(stopEarly(target(30n), [ending(10n), ending(30n)], 15n).lsn, 30n);
    assert.equal(stopEarly(target(30n, true), [ending(20n), ending(30n)], 5n).lsn, 30n);
  });
});

describe("the container of an instance to look at", () => {
  it("has no network, reads archive and volume in use only, and archives nothing", () => {
    const settings = settingsOf({ live: { "1.2.0": 100 } });
    const { cluster } = settings;
    assert.ok(cluster.kind === "own");
    const words = lookArguments({ settings, cluster, purpose: "look" }, "pgdata-1", true);
    const mounts = words.filter((_, n) => words[n - 1] === "-v");
    assert.equal(words[words.indexOf("--network") + 1], "none");
    assert.deepEqual(
      mounts.filter((mount) => !mount.endsWith(":ro")),
      ["rollback-test-look:/var/lib/postgresql/data"],
    );
    assert.equal(mounts.length, 3);
    assert.ok(words.includes("archive_mode=off"));
  });
});
