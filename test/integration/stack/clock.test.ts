import assert from "node:assert/strict";
import path from "node:path";
import { assertServes } from "../../support/stack-checks.ts";
import { assertUnharmed, underLoad } from "../../support/stack-load.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("a run whose program's clock jumps an hour ahead and back", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  before(async () => {
    stack = await createStack();
    await stack.configure({ live: { "1.2.0": 100 } });
    await stack.up();
  });
  after(() => stack.cleanup());

  it("loses nothing, and tells its times right", async () => {
    const clock = path.join(import.meta.dirname, "../../support/jumping-clock.mjs");
    await stack.configure({ live: { "1.2.1": 100 }, releases: ["1.2.0", "1.2.1"], gateway: { hold: "20s" } });
    const seen = await underLoad(stack, { env: { NODE_OPTIONS: `--import ${clock}` } });
    await assertUnharmed(stack, seen);
    const held = /requests were held for ([\d.]+) s/.exec(seen.ended.output)?.[1];
    const took = /; took ([\d.]+) s/.exec(seen.ended.output)?.[1];
    assert.ok(Number(held) < 20 && Number(took) < 120, seen.ended.output);
    await assertServes(stack, "1.2.1");
  });
});
