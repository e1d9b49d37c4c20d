import { at } from "../../support/kill-trials.ts";
import { commitOf, everyKind, type Case } from "../../support/recovery-cases.ts";
import { histories } from "../../support/recovery-histories.ts";
import { createMatrix, type Matrix } from "../../support/recovery-matrix.ts";
import { lineOf } from "../../support/stack-events.ts";

/** A part of the matrix that `npm run test:long` goes through as a whole. */
const chosen: readonly Case[] = [
  ...everyKind.filter(([name]) => name === "a microsecond before a second phase"),
  ...everyKind.filter(([name]) => name === "one that overlaps and was committed last"),
  ...histories.filter(([name]) => name === "an undo of an undo"),
  ...histories.filter(([name]) => name === "when the server's container is gone"),
];

describe("some recoveries in a row", function () {
  this.timeout(300_000);
  let matrix: Matrix;
  before(async () => {
    matrix = await createMatrix();
  });
  after(() => matrix.cleanup());

  for (const [name, work] of chosen) it(`end where they were asked to: ${name}`, () => work(matrix));

  it("are finished by the next up when the engine is killed with the new timeline already open", async () => {
    const { time } = commitOf(await matrix.write(), "object");
    await matrix.recover({ time }, { killed: at(lineOf("recovery", /^timeline \d+: roles/)) });
  });

  it("are left for the volume in use when that is wanted after the kill", async () => {
    const { time } = commitOf(await matrix.write(), "object");
    await matrix.abandon({ time }, at(lineOf("recovery", /^opening a new timeline/)));
  });
});
