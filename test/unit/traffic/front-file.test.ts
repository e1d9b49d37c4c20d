import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { checkFrontFolder, readFrontFile, writeFrontFile } from "../../../operations/traffic/front-file.ts";
import { isRefusal } from "../../../settings/refusal.ts";

describe("the stack's file in the folder of an existing nginx", () => {
  const mark = "# Written by rollback for the stack meals/prod: changes made here are overwritten.";
  let folder = "";
  let file = "";
  const refused = (error: unknown) => isRefusal(error, "FRONT_FOLDER");

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "front-"));
    file = path.join(folder, "rollback-meals-prod.conf");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is written whole, readable for that nginx, replaced and taken away, with nothing left beside it", async () => {
    await writeFrontFile(file, `${mark}\none\n`);
    assert.equal(await readFrontFile({ file, mark }), `${mark}\none\n`);
    assert.equal((await stat(file)).mode & 0o777, 0o644);
    await writeFrontFile(file, `${mark}\ntwo\n`);
    assert.equal(await readFrontFile({ file, mark }), `${mark}\ntwo\n`);
    assert.deepEqual(await readdir(folder), [path.basename(file)]);
    await writeFrontFile(file, undefined);
    await writeFrontFile(file, undefined);
    assert.equal(await readFrontFile({ file, mark }), undefined);
    assert.deepEqual(await readdir(folder), []);
  });

  it("is written over what a killed run left half-written", async () => {
    await writeFile(path.join(folder, ".rollback-meals-prod.conf.new"), "ha");
    await writeFrontFile(file, `${mark}\n`);
    assert.deepEqual(await readdir(folder), [path.basename(file)]);
  });

  it("never writes through a link to elsewhere", async () => {
    const other = path.join(folder, "nginx.conf");
    await writeFile(other, "theirs");
    await symlink(other, file);
    await writeFrontFile(file, `${mark}\n`);
    assert.equal(await readFile(other, "utf8"), "theirs");
  });

  it("is refused where somebody else's file has its name", async () => {
    for (const text of ["server {}\n", mark.replace("prod", "test")]) {
      await writeFile(file, text);
      await assert.rejects(readFrontFile({ file, mark }), refused);
    }
  });

  it("needs a folder", async () => {
    await checkFrontFolder(folder);
    await assert.rejects(checkFrontFolder(path.join(folder, "none")), refused);
    await writeFile(file, "");
    await assert.rejects(checkFrontFolder(file), refused);
    await assert.rejects(writeFrontFile(path.join(folder, "none", "a.conf"), ""), refused);
  });
});
