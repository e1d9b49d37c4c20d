import { everyKind, type Case } from "../../support/recovery-cases.ts";
import { histories } from "../../support/recovery-histories.ts";
import { createMatrix, type Matrix } from "../../support/recovery-matrix.ts";

/** A part of the matrix that `npm run test:long` goes through as a whole. */
const chosen: readonly Case[] = [
  ...everyKind.filter(([name]) => name === "a microsecond before a second phase"),
  ...everyKind.filter(([name]) => name === "one that overlaps and was committed last"),
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
});
