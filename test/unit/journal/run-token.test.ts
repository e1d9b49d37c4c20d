import assert from "node:assert/strict";
import { runOfSession, sessionName } from "../../../operations/journal/run-token.ts";

describe("names of sessions", () => {
  it("tell the run, and fit into what PostgreSQL keeps of them", () => {
    const run = "0198c5d2-7a3e-7cc1-9d6f-0123456789ab";
    const name = sessionName(run, "a purpose that goes on for much longer than there is room");
    assert.ok(Buffer.byteLength(name) <= 63);
    assert.equal(runOfSession(name), run);
    assert.equal(runOfSession(sessionName(run)), run);
  });

  it("of others tell none", () => {
    assert.equal(runOfSession("psql"), undefined);
    assert.equal(runOfSession("rollback"), undefined);
  });
});
