import { at, onceMade, type Instant } from "../../support/kill-trials.ts";
import { commitOf } from "../../support/recovery-cases.ts";
import { createMatrix, type Matrix } from "../../support/recovery-matrix.ts";
import { lineOf, stepOf } from "../../support/stack-events.ts";

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
    });
  }
});
