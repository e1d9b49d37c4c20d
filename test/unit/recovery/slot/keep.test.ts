import assert from "node:assert/strict";
import { slotName, type Slot } from "../../../../operations/database/slots.ts";
import { describeSlots, planSlots, slotDrift } from "../../../../operations/recovery/slot/keep.ts";
import { bestSlot } from "../../../../operations/recovery/slot/record.ts";
import { parseLsn } from "../../../../operations/recovery/wal.ts";
import { settingsOf } from "../../plan/fixture.ts";

const slot = (name: string, from: string, more: Partial<Slot> = {}): Slot => ({
  ...{ name, database: "shop", status: "reserved", from, left: 64 * 1024 ** 2 },
  ...more,
});
const settings = (changes?: string) =>
  settingsOf(
    { live: { "1.2.0": 100 } },
    {
      "rollback:cluster": {
        volume: "pgdata-1",
        backup: { schedule: "@daily", ...(changes === undefined ? {} : { changes }) },
      },
    },
  );

describe("the slots that keep changes on record", () => {
  const [one, two, three] = [slot("a", "0/10"), slot("b", "0/20"), slot("c", "0/30")];
  const lost = slot("d", "0/40", { status: "lost", left: null });

  it("are made where there is none, and anew for a release; two are kept", () => {
    assert.deepEqual(planSlots(settings("1GB"), [], ["shop"], false), {
      create: ["shop"],
      drop: [],
      lost: [],
    });
    assert.deepEqual(planSlots(settings("1GB"), [one], ["shop"], false), { create: [], drop: [], lost: [] });
    assert.deepEqual(planSlots(settings("1GB"), [one], ["shop"], true), {
      create: ["shop"],
      drop: [],
      lost: [],
    });
    assert.deepEqual(planSlots(settings("1GB"), [one, two], ["shop"], true), {
      ...{ create: ["shop"], drop: [one], lost: [] },
    });
    assert.deepEqual(planSlots(settings("1GB"), [one, two, three], ["shop"], false).drop, [one]);
  });

  it("are given up where they hold WAL for nothing: lost, of another database, or not configured", () => {
    const other = slot("e", "0/10", { database: "shop_until_2026" });
    assert.deepEqual(planSlots(settings("1GB"), [lost], ["shop"], false), {
      ...{ create: ["shop"], drop: [lost], lost: ["shop"] },
    });
    assert.deepEqual(planSlots(settings("1GB"), [one, other], ["shop"], false).drop, [other]);
    assert.deepEqual(planSlots(settings(), [one, lost], ["shop"], true), {
      ...{ create: [], drop: [one, lost], lost: [] },
    });
  });

  it("are a difference that the next `up` mends, and an older one that was lost is none", () => {
    assert.deepEqual(slotDrift(settings("1GB"), [one], ["shop"]), []);
    assert.deepEqual(slotDrift(settings("1GB"), [slot("a", "0/1", { status: "lost" }), two], ["shop"]), []);
    assert.match(String(slotDrift(settings("1GB"), [lost], ["shop"])), /were given up: .* \(1024MB\) of WAL/);
    assert.deepEqual(slotDrift(settings("1GB"), [], ["shop"]), ["changes of shop are not kept yet"]);
    assert.deepEqual(slotDrift(settings(), [one], ["shop"]), ["a still keeps changes of shop"]);
    assert.deepEqual(slotDrift(settings(), [], ["shop"]), []);
  });

  it("are described with what is left of them", () => {
    assert.deepEqual(describeSlots([one, lost, slot("x", "1/2", { database: "b", left: null })]), [
      "changes of shop: given up, more WAL was written than may be held back",
      "changes of b are kept since 1/2",
    ]);
    assert.deepEqual(describeSlots([two]), [
      "changes of shop are kept since 0/20; 64 MB of WAL until they are given up",
    ]);
  });

  it("are chosen by how far they reach: the newest that has all, else the one that has most", () => {
    const ending = (lsn: string) => ({ lsn: parseLsn(lsn) });
    const slots = [one, two, three];
    assert.equal(bestSlot(slots, "shop", [ending("0/25"), ending("0/35")]).slot, two);
    assert.equal(bestSlot(slots, "shop", [ending("0/5"), ending("0/35")]).slot, one);
    assert.equal(bestSlot([lost], "shop", [ending("0/50")]).slot, undefined);
    assert.match(bestSlot([lost], "shop", []).why, /more WAL was written/);
    assert.match(bestSlot(slots, "other", []).why, /there is no slot/);
  });

  it("have names that PostgreSQL takes, whatever database and run are called", () => {
    const name = slotName("Meal-Planner", "0d6bf1b8-6ad5-4a86-9c2e-3f1d2e4a5b6c");
    assert.match(name, /^rollback_[a-z0-9_]{1,54}$/);
    assert.notEqual(name, slotName("meal-planner", "0d6bf1b8-6ad5-4a86-9c2e-3f1d2e4a5b6c"));
  });
});
