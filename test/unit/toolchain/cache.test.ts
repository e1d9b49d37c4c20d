import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { isRefusal } from "../../../settings/refusal.ts";
import {
  cacheFolder,
  contentOf,
  ensureRoom,
  fingerprint,
  madeOnce,
  withLock,
} from "../../../toolchain/cache.ts";
import { quietly } from "./quietly.ts";

describe("the cache", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "rbt-cache-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("lies where ROLLBACK_CACHE says, else in the user's cache folder", () => {
    assert.equal(cacheFolder({ ROLLBACK_CACHE: "/big/disk" }, "/home/a"), "/big/disk");
    assert.equal(cacheFolder({ XDG_CACHE_HOME: "/x" }, "/home/a"), "/x/rollback");
    assert.equal(
      cacheFolder({ ROLLBACK_CACHE: "", XDG_CACHE_HOME: "" }, "/home/a"),
      "/home/a/.cache/rollback",
    );
  });

  it("names content by all of it: file names, bytes and their order", async () => {
    await writeFile(path.join(folder, "a"), "1");
    const before = fingerprint(await contentOf(folder));
    assert.equal(fingerprint(await contentOf(folder)), before);
    await writeFile(path.join(folder, "a"), "2");
    const changed = fingerprint(await contentOf(folder));
    await rm(path.join(folder, "a"));
    await writeFile(path.join(folder, "b"), "1");
    assert.equal(new Set([before, changed, fingerprint(await contentOf(folder))]).size, 3);
    assert.notEqual(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
  });

  it("makes a folder once, also when two ask at the same time", async () => {
    let made = 0;
    const target = path.join(folder, "tools/x");
    const ask = (): Promise<string> =>
      madeOnce(target, async (temporary) => {
        made++;
        await sleep(50);
        await writeFile(path.join(temporary, "tool"), "complete");
      });
    await quietly(() => Promise.all([ask(), ask(), ask()]));
    await ask();
    assert.equal(made, 1);
    assert.equal(await readFile(path.join(target, "tool"), "utf8"), "complete");
    assert.deepEqual(await readdir(path.join(folder, "tools")), ["x"]);
  });

  it("keeps nothing of a failed or a killed attempt", async () => {
    const target = path.join(folder, "x");
    await mkdir(`${target}.part-left-by-a-killed-run`);
    await assert.rejects(
      madeOnce(target, () => Promise.reject(new Error("no compiler"))),
      /no compiler/,
    );
    assert.ok(!existsSync(target));
    assert.deepEqual(await readdir(folder), []);
  });

  it("takes over the lock of a process that is dead, and waits for one that lives", async () => {
    const lock = path.join(folder, "lock");
    await mkdir(lock);
    // Beyond the largest process id Linux gives out.
    await writeFile(path.join(lock, "pid"), "99999999");
    assert.equal(await withLock(lock, "x", () => Promise.resolve("done")), "done");

    const order: string[] = [];
    const { said } = await quietly(() =>
      Promise.all([
        withLock(lock, "x", async () => {
          await sleep(100);
          order.push("first");
        }),
        sleep(20).then(() =>
          withLock(lock, "x", () => {
            order.push("second");
            return Promise.resolve();
          }),
        ),
      ]),
    );
    assert.deepEqual(order, ["first", "second"]);
    assert.match(said, new RegExp(`another run \\(process ${String(process.pid)}\\) is making x`));
    assert.ok(!existsSync(lock));
  });

  it("refuses before a long step when the disk has no room for it", async () => {
    await ensureRoom(folder, 1, "a build");
    await assert.rejects(ensureRoom(folder, Number.MAX_SAFE_INTEGER, "a build"), (error: unknown) => {
      assert.ok(isRefusal(error, "DISK_FULL"));
      assert.match(error.message, /a build needs .* GB and .*ROLLBACK_CACHE/s);
      return true;
    });
  });
});
