import { existsSync } from "node:fs";
import { access, constants, readFile } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../settings/refusal.ts";
import { attempt, must } from "./command.ts";
import { longStep } from "./log.ts";

/** The checkout this file belongs to. */
export const CHECKOUT = path.resolve(import.meta.dirname, "..");

/** The least Node that runs this project's TypeScript as it is and fits its libraries. */
export const NODE_MAJOR = 24;

/** Refuses with `WRONG_NODE` unless this process runs on Node 24 or later. Returns the folder to put on the PATH for it. */
export function ensureNode(version: string = process.versions.node, executable = process.execPath): string {
  if (Number(version.split(".")[0]) < NODE_MAJOR) {
    throw new Refusal({
      code: "WRONG_NODE",
      found: `this is Node ${version} (${executable}); the project needs Node ${String(NODE_MAJOR)} or later.`,
      next: "Run `npm ci` (without --ignore-scripts): it brings the npm package `node`, which npm scripts use. Then start it as an npm script, for example `npm run setup`.",
    });
  }
  return path.dirname(executable);
}

/** Whether this process may administer the machine. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Whether `/etc/os-release` names Debian itself or something made of it that has apt. */
export function isDebianLike(osRelease: string): boolean {
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(osRelease);
}

/** Whether packages can be installed here: root, apt, and a Debian or something made of it. */
export async function canInstallPackages(): Promise<boolean> {
  if (!isRoot() || !existsSync("/usr/bin/apt-get")) return false;
  return existsSync("/etc/os-release") && isDebianLike(await readFile("/etc/os-release", "utf8"));
}

const APT = { DEBIAN_FRONTEND: "noninteractive" };
let listsAreFresh = false;

/** The version apt would install, for example `2:1.24~2`; undefined where the package is unknown. */
export async function packageCandidate(name: string): Promise<string | undefined> {
  await refreshLists();
  const { stdout } = await attempt("apt-cache", ["policy", name]);
  const candidate = /^ {2}Candidate: (.+)$/m.exec(stdout)?.[1];
  return candidate === "(none)" ? undefined : candidate;
}

/** Installs Debian packages without their recommendations. For root on Debian only (`canInstallPackages`). */
export async function installPackages(names: readonly string[]): Promise<void> {
  await refreshLists();
  await longStep("packages", `installing ${names.join(", ")} with apt`, (note) =>
    must("apt-get", ["install", "-y", "--no-install-recommends", ...names], { env: APT, note }),
  );
}

async function refreshLists(): Promise<void> {
  if (listsAreFresh) return;
  await longStep("packages", "reading the package lists", (note) =>
    must("apt-get", ["update"], { env: APT, note }),
  );
  listsAreFresh = true;
}

/** Where a command is found on a PATH, outside the folders for which `ignore` is true. */
export async function onPath(
  name: string,
  ignore: (folder: string) => boolean = () => false,
  searchPath: string = process.env["PATH"] ?? "",
): Promise<string | undefined> {
  for (const folder of searchPath.split(path.delimiter)) {
    if (folder === "" || ignore(folder)) continue;
    const file = path.join(folder, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // Not here, or not ours to run: the next folder may have it.
    }
  }
  return undefined;
}

/** Compares dotted versions by their numbers: negative, zero or positive. `v` and anything after the numbers are ignored. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string): number[] =>
    (/\d+(\.\d+)*/.exec(version)?.[0] ?? "").split(".").map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
