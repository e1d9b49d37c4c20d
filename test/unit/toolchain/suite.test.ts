import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { partsFor, sumLine } from "../../../toolchain/test.ts";

describe("npm test", () => {
  it("ends with the sums of all parts", () => {
    assert.equal(sumLine([]), "0 passed, 0 failed");
    assert.equal(
      sumLine([
        { passed: 3, failed: 0 },
        { passed: 4, failed: 1 },
      ]),
      "7 passed, 1 failed",
    );
  });

  it("runs unit and integration tests, the long forms when asked, or the named files", () => {
    assert.deepEqual(
      partsFor([]).map(({ title }) => title),
      ["unit tests", "integration tests"],
    );
    assert.equal(partsFor(["--long"]).length, 3);
    assert.deepEqual(
      partsFor(["test/unit/a.test.ts"]).map(({ files }) => files),
      [["test/unit/a.test.ts"]],
    );
  });
});
