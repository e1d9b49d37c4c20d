import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { isRefusal } from "../../../settings/refusal.ts";
import { compareVersions, ensureNode, isDebianLike, onPath } from "../../../toolchain/machine.ts";
import { exportLines, searchPath } from "../../../toolchain/setup.ts";

describe("the machine", () => {
  it("must run Node 24 or later, and says how to get it", () => {
    assert.equal(ensureNode("24.0.0", "/a/bin/node"), "/a/bin");
    assert.equal(ensureNode("26.1.0", "/a/bin/node"), "/a/bin");
    assert.throws(
      () => ensureNode("22.18.0", "/usr/bin/node"),
      (error: unknown) => isRefusal(error, "WRONG_NODE") && /npm ci/.test(error.message),
    );
  });

  it("has apt on Debian and what is made of it", () => {
    assert.ok(isDebianLike('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n'));
    assert.ok(isDebianLike('ID=linuxmint\nID_LIKE="ubuntu debian"\n'));
    assert.ok(!isDebianLike('NAME="not debian"\nID=fedora\n'));
  });

  it("compares versions by their numbers", () => {
    assert.ok(compareVersions("3.259.0", "3.99.1") > 0);
    assert.ok(compareVersions("v3.249.0", "3.249.0") === 0);
    assert.ok(compareVersions("3.249", "3.249.1") < 0);
    assert.ok(compareVersions("3.260.0-alpha.1", "3.259.0") > 0);
  });
});

describe("the PATH", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "rbt-path-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is searched in order, for what may be executed, outside the ignored folders", async () => {
    for (const name of ["a", "b", "c"]) {
      await mkdir(path.join(folder, name));
      await writeFile(path.join(folder, name, "tool"), "");
      await chmod(path.join(folder, name, "tool"), name === "a" ? 0o644 : 0o755);
    }
    const search = ["", "a", "b", "c"].map((name) => (name === "" ? "" : path.join(folder, name))).join(":");
    const ignored = (candidate: string): boolean => candidate.endsWith("/b");
    assert.equal(await onPath("tool", undefined, search), path.join(folder, "b/tool"));
    assert.equal(await onPath("tool", ignored, search), path.join(folder, "c/tool"));
    assert.equal(await onPath("other", undefined, search), undefined);
  });

  it("begins with what is asked for and names nothing twice", () => {
    assert.equal(searchPath(["/a", "/b"], "/usr/bin:/b::/a:/bin"), "/a:/b:/usr/bin:/bin");
  });

  it("can be handed to a shell, quotes and all", () => {
    assert.equal(exportLines({ PATH: "/it's here" }), "export PATH='/it'\\''s here'\n");
  });
});
