import { createMatrix, type Matrix } from "../../support/recovery-matrix.ts";
import { everyKind, refusals, type Case } from "../../support/recovery-cases.ts";
import { histories, releases } from "../../support/recovery-histories.ts";

/**
 * Recoveries one after the other on one stack, each by `pulumi up`, each compared with what PostgreSQL acknowledged to the
 * workload: exactly there, or refused, never silently elsewhere.
 */
describe("a recovery ends exactly where it was asked to, or is refused", function () {
  this.timeout(600_000);
  let matrix: Matrix;

  before(async () => {
    matrix = await createMatrix();
  });
  after(() => matrix.cleanup());

  const all = (cases: readonly Case[]): void => {
    for (const [name, work] of cases) it(name, () => work(matrix));
  };
  describe("each kind of target", () => all(everyKind));
  describe("after what came before", () => all(histories));
  describe("before a release", () => all(releases));
  describe("with a target that cannot be reached", () => all(refusals));
});
