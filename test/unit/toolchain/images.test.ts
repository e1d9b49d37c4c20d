import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { buildCommand, contentLabel, labelsIn } from "../../../toolchain/images.ts";

describe("images", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "rbt-image-"));
    await writeFile(path.join(folder, "Dockerfile"), "FROM x\n");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("are made again when folder, arguments or base change, and only then", async () => {
    const spec = { tag: "x:1", folder, buildArgs: { A: "1", B: "2" } };
    const label = await contentLabel(spec, "sha256:base");
    assert.equal(await contentLabel({ ...spec, buildArgs: { B: "2", A: "1" } }, "sha256:base"), label);
    assert.notEqual(await contentLabel(spec, "sha256:newer"), label);
    assert.notEqual(await contentLabel({ ...spec, buildArgs: { A: "1" } }, "sha256:base"), label);
    await writeFile(path.join(folder, "Dockerfile"), "FROM y\n");
    assert.notEqual(await contentLabel(spec, "sha256:base"), label);
  });

  it("carry the label of what they were made from; those made by other means carry none", () => {
    const inspect = [
      { RepoTags: ["a:1", "a:latest"], Config: { Labels: { "rollback.content": "abc" } } },
      { RepoTags: ["b:1"], Config: { Labels: null } },
      { RepoTags: null, Config: null },
    ];
    assert.deepEqual(
      [...labelsIn(JSON.stringify(inspect))],
      [
        ["a:1", "abc"],
        ["a:latest", "abc"],
        ["b:1", ""],
      ],
    );
    assert.equal(labelsIn("").size, 0);
  });

  it("are built under their tag with label and arguments", () => {
    assert.deepEqual(buildCommand({ tag: "x:1", folder: "/f", buildArgs: { A: "1" } }, "abc"), [
      ...["build", "--tag", "x:1", "--label", "rollback.content=abc", "--build-arg", "A=1", "/f"],
    ]);
  });
});
