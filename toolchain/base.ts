import { mkdtemp, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { Refusal } from "../settings/refusal.ts";
import { cacheFolder, ensureRoom, withLock } from "./cache.ts";
import { attempt, lastLines, must } from "./command.ts";
import { longStep, say } from "./log.ts";
import { canInstallPackages, installPackages, isRoot, onPath } from "./machine.ts";

const SUITE = "trixie";
/** The image all others are made on. */
export const BASE_TAG = `debian:${SUITE}-slim`;

/** The base image: what to name it in a build, and which image that is. */
export interface BaseImage {
  readonly tag: string;
  readonly id: string;
}

/** Finds, pulls or makes the base image; refuses with `BASE_IMAGE` where none of it works. */
export async function ensureBase(): Promise<BaseImage> {
  const present = await idOf(BASE_TAG);
  if (present !== undefined) return { tag: BASE_TAG, id: present };
  return withLock(path.join(cacheFolder(), "base.lock"), BASE_TAG, async () => {
    const made = await idOf(BASE_TAG);
    if (made !== undefined) return { tag: BASE_TAG, id: made };
    const pulled = await longStep("base image", `pulling ${BASE_TAG}`, (note) =>
      attempt("docker", ["pull", BASE_TAG], { timeoutMs: 10 * 60_000, note }),
    );
    if (!pulled.ok) {
      say("base image", `it cannot be pulled: ${lastLines(pulled.tail, 1)}`);
      await bootstrap(pulled.tail);
    }
    const id = await idOf(BASE_TAG);
    if (id === undefined) throw new Error(`${BASE_TAG} was made and is not there`);
    return { tag: BASE_TAG, id };
  });
}

async function idOf(tag: string): Promise<string | undefined> {
  const { ok, stdout } = await attempt("docker", ["image", "inspect", "--format", "{{.Id}}", tag]);
  return ok ? stdout.trim() : undefined;
}

/** Makes the base from Debian's packages, as the official image is made, and loads it under the same name. */
async function bootstrap(pullFailure: string): Promise<void> {
  const command = (await onPath("debootstrap")) ?? (await onPath("debootstrap", undefined, "/usr/sbin"));
  if (!isRoot() || (command === undefined && !(await canInstallPackages()))) {
    throw new Refusal({
      code: "BASE_IMAGE",
      found: `${BASE_TAG} cannot be pulled (${lastLines(pullFailure, 1)}), and to make it, root and debootstrap are needed.`,
      untouched: "No image was built.",
      next: `Let Docker pull it (\`docker pull ${BASE_TAG}\`), load it from a file (\`docker load\`), or run this as root on Debian.`,
    });
  }
  if (command === undefined) await installPackages(["debootstrap"]);
  await ensureRoom(cacheFolder(), 1024 ** 3, "the base image");
  await longStep("base image", `making ${BASE_TAG} with debootstrap`, async (note) => {
    const root = await mkdtemp(path.join(cacheFolder(), "debootstrap-"));
    try {
      await must("debootstrap", ["--variant=minbase", SUITE, root], { note });
      await writeFile(path.join(root, "etc/apt/sources.list"), sources(SUITE));
      note("loading it into Docker");
      await execa("tar", ["-C", root, "--exclude=./var/cache/apt/archives/*.deb", "-c", "."], {
        buffer: false,
      }).pipe("docker", [
        "import",
        "--change",
        'CMD ["bash"]',
        "--change",
        "LABEL rollback.base=debootstrap",
        "-",
        BASE_TAG,
      ]);
    } finally {
      // A mounted /proc below it would be someone else's: stay on this file system's own files.
      await must("rm", ["-rf", "--one-file-system", root]);
    }
  });
}

/** The package sources of the official image: the release, its updates and its security updates. */
function sources(suite: string): string {
  return [
    `deb http://deb.debian.org/debian ${suite} main`,
    `deb http://deb.debian.org/debian ${suite}-updates main`,
    `deb http://deb.debian.org/debian-security ${suite}-security main`,
    "",
  ].join("\n");
}
