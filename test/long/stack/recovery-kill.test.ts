import assert from "node:assert/strict";
import { at, onceEnded, onceMade, type Instant } from "../../support/kill-trials.ts";
import { commitOf } from "../../support/recovery-cases.ts";
import { createMatrix, type Matrix } from "../../support/recovery-matrix.ts";
import { changedResources, lineOf, stepOf } from "../../support/stack-events.ts";

/** From the beginning of a recovery to its end. */
const instants: readonly (readonly [string, Instant])[] = [
  ["before it restores", at(lineOf("backup", /^restoring beside/))],
  ["while it restores", onceMade(/recovering$/)],
  ["when it has restored", at(lineOf("backup", /^restored/))],
  ["when it is paused at its target", at(lineOf("backup", /^replayed/))],
  ["when roles are closed", at(lineOf("fence", /closed in the database/))],
  ["when the recovery's own step begins", at(stepOf("recovery"))],
  ["while it opens the new timeline", at(lineOf("recovery", /^opening a new timeline/))],
  ["when the new timeline is open", at(lineOf("recovery", /^timeline \d+: roles/))],
  ["while it hands the volume over", at(lineOf("recovery", /^handing the volume over/))],
  ["when the volume is ready", at(stepOf("recovery", "done"))],
  ["while the old server stops", at(stepOf("postgres"))],
  ["when the new server is made", onceMade(/-postgres$/)],
  ["while it waits for the new server", at(stepOf("ready"))],
  ["in the schema's step", at(stepOf("schema"))],
  ["in the verification", at(stepOf("verification"))],
];

describe("an engine that is killed while it recovers", function () {
  this.timeout(600_000);
  let matrix: Matrix;
  before(async () => {
    matrix = await createMatrix();
  });
  after(() => matrix.cleanup());

  for (const [where, instant] of instants) {
    it(`${where}: the next up finishes it`, async () => {
      const batch = await matrix.write();
      await matrix.recover({ time: commitOf(batch, "object").time }, { killed: instant });
    });
    it(`${where}: the next up goes back, if it is told to`, async () => {
      const batch = await matrix.write();
      await matrix.abandon({ time: commitOf(batch, "object").time }, instant);
      await matrix.write();
      await matrix.check();
      await matrix.checkRestore();
    });
  }
});

const open = at(lineOf("recovery", /^timeline \d+: roles/));

/** From the beginning of a way back, whose volume must go on on a new timeline, to its end. */
const reopening: readonly (readonly [string, readonly Instant[]])[] = [
  ["when everybody waits", [at(stepOf("ready"))]],
  ["when the server is about to restart", [at(lineOf("ready", /^opening a new timeline on/))]],
  ["while the server restarts", [onceEnded(/-postgres$/)]],
  ["when the timeline is open", [at(lineOf("ready", /^the new timeline on \S+ is open/))]],
  ["when it is on record", [at(lineOf("ready", /goes on, on timeline/))]],
  [
    "twice, while the server restarts and before it would have again",
    [onceEnded(/-postgres$/), at(stepOf("preflight", "done"))],
  ],
];

describe("an engine that is killed while it takes a killed recovery back", function () {
  this.timeout(600_000);
  let matrix: Matrix;
  before(async () => {
    matrix = await createMatrix();
  });
  after(() => matrix.cleanup());

  for (const [where, instants] of reopening) {
    it(`${where}: the next up finishes that, and a plain restore follows what serves`, async () => {
      const batch = await matrix.write();
      await matrix.abandon({ time: commitOf(batch, "object").time }, open, instants);
      await matrix.write();
      await matrix.check();
      await matrix.checkRestore();
      assert.deepEqual(changedResources((await matrix.stack.up()).events), {});
    });
  }

  it("recovers across all that was left, to each kind of target", async () => {
    const before = await matrix.write();
    await matrix.abandon({ time: commitOf(before, "object").time }, open);
    const after = await matrix.write();
    await matrix.recover({ time: commitOf(after, "between").time });
    await matrix.recover({ xid: commitOf(before, "savepoint").xid });
  });

  it("goes on where it is when an undo was killed, too, and finishes an undo that is killed there", async () => {
    const origin = matrix.volume();
    // Not between two phases: a plain restore ends there, and has to be helped (docs/recovery.md).
    await matrix.recover({ time: commitOf(await matrix.write(), "object").time });
    await matrix.write();
    await matrix.abandonUndo(origin, open);
    await matrix.write();
    await matrix.check();
    await matrix.checkRestore();
    await matrix.undo(origin, open);
    await matrix.checkRestore();
  });
});
