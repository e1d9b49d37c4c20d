import assert from "node:assert/strict";
import { beginAdoption, type Adoption } from "../../support/adoption.ts";
import { changedResources } from "../../support/stack-events.ts";

describe("a takeover that is killed", function () {
  this.timeout(300_000);
  for (const [when, said] of [
    ["before anything is stopped", (): RegExp => /dump from /],
    [
      "when the server is stopped",
      ({ compose }: Adoption): RegExp => new RegExp(`stopped ${compose.containers.db}`),
    ],
    ["while indexes are built anew", (): RegExp => /building .* anew \(2 of/],
  ] as const) {
    it(`${when}: the next up goes on, with every row`, async () => {
      const adoption = await beginAdoption();
      const { stack } = adoption;
      try {
        const { exitCode, all } = await adoption.init("--write");
        assert.equal(exitCode, 0, all);
        await adoption.adjust();
        const killed = said(adoption);
        await stack.up({ killAt: (event) => event.kind === "line" && killed.test(event.text) });
        await stack.cancel();
        await stack.up();
        assert.deepEqual(await adoption.running(), []);
        assert.deepEqual(await adoption.ask("/api/logs"), { status: 200, release: "1.2.0" });
        assert.equal(await adoption.psql("SELECT count(*) FROM users"), "500");
        assert.deepEqual(changedResources((await stack.up({ args: ["--expect-no-changes"] })).events), {});
      } finally {
        await adoption.remove();
      }
    });
  }
});
