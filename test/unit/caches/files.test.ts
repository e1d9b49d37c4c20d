import assert from "node:assert/strict";
import { clearFilesArguments, globToRegex } from "../../../operations/caches/files.ts";

function matches(glob: string, path: string): boolean {
  return new RegExp(`^(?:${globToRegex(glob)})$`, "s").test(`./${path}`);
}

describe("globToRegex", () => {
  const cases: readonly (readonly [glob: string, matching: readonly string[], not: readonly string[]])[] = [
    ["*.html", ["a.html", ".html"], ["a/b.html", "a.htmlx", "axhtml"]],
    ["pages/**", ["pages/a", "pages/a/b", "pages/a\nb"], ["pages", "pagesx/a", "x/pages/a"]],
    ["**/*.jpg", ["a.jpg", "x/a.jpg", "x/y/a.jpg"], ["a.jpeg"]],
    ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]],
    ["v?.{1}+(a|b)[c]$^", ["v1.{1}+(a|b)[c]$^"], ["v.{1}+(a|b)[c]$^", "v11+a"]],
  ];
  for (const [glob, matching, not] of cases) {
    it(glob, () => {
      assert.deepEqual(
        matching.filter((path) => !matches(glob, path)),
        [],
      );
      assert.deepEqual(
        not.filter((path) => matches(glob, path)),
        [],
      );
    });
  }
});

describe("clearFilesArguments", () => {
  it("gives the container the volume and nothing else, and the pattern as a word of its own", () => {
    const args = clearFilesArguments("media", "a'b/**");
    assert.deepEqual(
      args.filter((_, n) => args[n - 1] === "-v"),
      ["media:/volume"],
    );
    assert.ok(args.join(" ").includes("--network none --read-only"));
    assert.equal(args.at(-1), "\\./a'b/.*");
  });
});
