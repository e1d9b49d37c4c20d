import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { codesIn } from "../../support/refusal-codes.ts";

const checkout = path.join(import.meta.dirname, "../../..");
const rooms = ["settings", "hooks", "operations", "components", "toolchain", "demo", "bench", "cli"];

describe("docs/refusals.md", function () {
  this.timeout(30_000);

  it("has every code that the code base makes, once, and no other", async () => {
    const files = globSync(`{${rooms.join(",")}}/**/*.ts`, { cwd: checkout });
    const made = new Set<string>();
    for (const file of files) for (const code of await codesIn(path.join(checkout, file))) made.add(code);
    const text = await readFile(path.join(checkout, "docs/refusals.md"), "utf8");
    const documented = [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code ?? "");
    assert.deepEqual(documented.toSorted(), [...made].sort());
  });
});
