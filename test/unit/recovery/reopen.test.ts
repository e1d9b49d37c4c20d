import assert from "node:assert/strict";
import { historyName, timelinesIn } from "../../../operations/archive/timelines.ts";
import { abandoned } from "../../../operations/recovery/reopen.ts";

const listed = ["0000000100000000", "00000002.history", "0000001A.history", "0000000300000000"].join("\n");

describe("a timeline that the archive has and the server does not come from", () => {
  it("is told from the history files in the archive's folder", () => {
    assert.deepEqual(timelinesIn(listed), [2, 26]);
    assert.deepEqual(timelinesIn(""), []);
    assert.equal(historyName(26), "0000001A.history");
  });

  it("is a newer one, as timelines are numbered in the order in which they are opened", () => {
    assert.deepEqual(abandoned(1, [2, 3]), { own: 1, newest: 3 });
    assert.equal(abandoned(3, [2, 3]), undefined);
    assert.equal(abandoned(1, []), undefined);
  });

  it("is none when the server's own history has not reached the archive yet", () => {
    assert.equal(abandoned(4, [2, 3]), undefined);
  });
});
