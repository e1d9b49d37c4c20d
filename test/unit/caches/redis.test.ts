import assert from "node:assert/strict";
import { clearCommand } from "../../../operations/caches/redis.ts";

describe("clearCommand", () => {
  it("hands a pattern over as an argument of its own, never as shell", () => {
    const pattern = `session:*; $(touch /tmp/x) "'`;
    const [sh, flag, script, ...rest] = clearCommand({ pattern });
    assert.deepEqual([sh, flag], ["sh", "-c"]);
    assert.ok(!script?.includes("session"));
    assert.equal(rest[2], pattern);
  });

  it("flushes everything only when asked to", () => {
    assert.match(clearCommand({ all: true }).join(" "), /FLUSHALL/);
    assert.doesNotMatch(clearCommand({ pattern: "*" }).join(" "), /FLUSH|KEYS/);
    assert.throws(() => clearCommand({ pattern: "" }), TypeError);
  });
});
