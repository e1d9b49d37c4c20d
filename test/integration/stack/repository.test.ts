import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("the repository of the demo's stack", function () {
  this.timeout(60_000);
  let stack: ScratchStack;

  before(async () => {
    stack = await createStack({ git: true });
  });
  after(() => stack.cleanup());

  it("takes a revert on a machine where git knows no author", async () => {
    for (const release of ["1.2.0", "1.2.1"] as const) {
      await stack.configure({ live: { [release]: 100 } });
      await stack.git("add", "--all");
      await stack.git("commit", "--quiet", "--message", `Deploy ${release}`);
    }
    // No configuration but the repository's own.
    const env = { HOME: stack.folder, XDG_CONFIG_HOME: stack.folder, GIT_CONFIG_NOSYSTEM: "1" };
    await execa("git", ["revert", "--no-edit", "HEAD"], { cwd: path.dirname(stack.file), env });
    assert.match(await stack.git("log", "--format=%an %s", "-1"), /^Demo Revert "Deploy 1\.2\.1"/);
  });
});
