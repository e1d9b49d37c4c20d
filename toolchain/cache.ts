import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Refusal } from "../settings/refusal.ts";
import { say } from "./log.ts";

/**
 * Where everything that outlives a checkout is kept: `ROLLBACK_CACHE`, else `rollback` in the user's cache folder
 * (`XDG_CACHE_HOME`, else `~/.cache`). The Go language host follows the same rule for Node's compile cache.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, home: string = homedir()): string {
  const own = env["ROLLBACK_CACHE"];
  if (own !== undefined && own !== "") return path.resolve(own);
  const shared = env["XDG_CACHE_HOME"];
  return path.join(shared !== undefined && shared !== "" ? shared : path.join(home, ".cache"), "rollback");
}

/** A short name for some content: the first 12 hex digits of the SHA-256 over the parts, each ended by a zero byte. */
export function fingerprint(parts: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 12);
}

/** Relative path and content of every file below a folder, in a fixed order; for fingerprints. */
export async function contentOf(folder: string): Promise<(string | Buffer)[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
  const parts: (string | Buffer)[] = [];
  for (const file of files) parts.push(path.relative(folder, file), await readFile(file));
  return parts;
}

/**
 * Makes a folder once, whoever asks first: `make` fills a folder of its own, which is renamed to its place when it is
 * complete, so a killed run leaves nothing that looks finished. Others wait for the one that makes it.
 */
export async function madeOnce(folder: string, make: (temporary: string) => Promise<void>): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(path.dirname(folder), { recursive: true });
  return withLock(`${folder}.lock`, path.basename(folder), async () => {
    if (existsSync(folder)) return folder;
    await sweep(folder);
    const temporary = `${folder}.part-${randomUUID()}`;
    await mkdir(temporary);
    try {
      await make(temporary);
      await rename(temporary, folder);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return folder;
  });
}

/** Removes what killed runs left of this folder; only for the holder of its lock. */
async function sweep(folder: string): Promise<void> {
  const prefix = `${path.basename(folder)}.part-`;
  for (const name of await readdir(path.dirname(folder))) {
    if (name.startsWith(prefix)) await rm(path.join(path.dirname(folder), name), { recursive: true });
  }
}

/**
 * Runs `work` while no other process on this machine holds the lock, waiting as long as one does. The lock is a folder
 * with the holder's process id; that of a dead process is taken over. What it guards must be safe without it (a
 * temporary folder and a rename): it saves doing the same work twice.
 */
export async function withLock<T>(lock: string, what: string, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(lock), { recursive: true });
  let told = false;
  while (!(await take(lock))) {
    const holder = await holderOf(lock);
    if (holder.state === "dead") {
      await rm(lock, { recursive: true, force: true });
      continue;
    }
    if (!told) say("waiting", `another run (process ${holder.pid}) is making ${what}`);
    told = true;
    await sleep(250);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/** Takes the lock by renaming a folder that already names its holder, so that a lock without a holder never exists. */
async function take(lock: string): Promise<boolean> {
  if (existsSync(lock)) return false;
  const mine = `${lock}-${randomUUID()}`;
  await mkdir(mine);
  await writeFile(path.join(mine, "pid"), String(process.pid));
  try {
    // Fails when a non-empty folder is there.
    await rename(mine, lock);
    return true;
  } catch (error) {
    await rm(mine, { recursive: true, force: true });
    if (isCode(error, "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  }
}

async function holderOf(lock: string): Promise<{ state: "alive" | "dead" | "unknown"; pid: string }> {
  try {
    const pid = await readFile(path.join(lock, "pid"), "utf8");
    return { state: isAlive(Number(pid)) ? "alive" : "dead", pid };
  } catch (error) {
    // Released between our two looks.
    if (isCode(error, "ENOENT")) return { state: "unknown", pid: "?" };
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and is another user's.
    return !isCode(error, "ESRCH");
  }
}

/** Whether an error of the operating system has one of these codes. */
export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code)
  );
}

/** Bytes that a cold set-up needs: Go modules 2.5 GB, Go's build cache 2 GB, tools 0.3 GB, images 1 GB. */
export const COLD_ROOM = 6 * 1024 ** 3;

/** Refuses with `DISK_FULL` when the file system of `folder` has less than `bytes` free; for before a long step. */
export async function ensureRoom(folder: string, bytes: number, what: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const gigabytes = (size: number): string => `${(size / 1024 ** 3).toFixed(1)} GB`;
  throw new Refusal({
    code: "DISK_FULL",
    found: `${what} needs ${gigabytes(bytes)} and ${folder} has ${gigabytes(free)} free.`,
    untouched: "Nothing was built.",
    next: "Make room, or set ROLLBACK_CACHE to a folder on a larger disk.",
  });
}
