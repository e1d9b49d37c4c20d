import assert from "node:assert/strict";
import { checkSecrets, secretHistory } from "../../../operations/preflight/record.ts";
import { isRefusal } from "../../../settings/refusal.ts";

describe("secrets across runs", () => {
  const history = new Map([["db", ["old", "new"]]]);

  it("may stay, be rotated or be added", () => {
    checkSecrets(new Map([["db", "new"]]), history);
    checkSecrets(new Map([["db", "newer"]]), history);
    checkSecrets(new Map([["apiKey", "a"]]), history);
  });

  it("may not go back to a value that was replaced, which a plain revert of the stack file would do", () => {
    assert.throws(
      () => checkSecrets(new Map([["db", "old"]]), history),
      (error) => isRefusal(error, "SECRET_REVERTED") && !error.message.includes("old "),
    );
  });

  it("are remembered in the order they came", () => {
    assert.deepEqual(secretHistory(new Map([["db", "newer"]]), history), { db: ["old", "new", "newer"] });
    assert.deepEqual(secretHistory(new Map([["db", "new"]]), history), { db: ["old", "new"] });
  });
});
