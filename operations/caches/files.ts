import { z } from "zod";
import { DockerFailure, docker, isMissing } from "../docker/run.ts";
import { gatewayImage } from "../traffic/plan.ts";
import { Refusal } from "../../settings/refusal.ts";

export interface ClearedFiles {
  readonly count: number;
  /** As the files said of themselves. */
  readonly bytes: number;
}

/** Label by which a stack knows volumes of its own: flags, routes, dumps. */
const ownLabel = "rollback.stack";

/**
 * Removes the files, and links themselves, whose path within a Docker volume matches a glob; folders stay. It happens in a
 * container that has this volume and nothing else, not even a network, and follows no link: nothing outside can be reached.
 * A volume that is not there has nothing to clear; it is not made. Throws the Refusal `CACHE_NOT_CLEARED`.
 */
export async function clearFiles(volume: string, glob: string): Promise<ClearedFiles> {
  const refuse = (why: string, cause?: unknown): Refusal =>
    new Refusal({
      code: "CACHE_NOT_CLEARED",
      found: `files that match ${glob} in the volume ${volume} could not be removed: ${why}`,
      untouched: "Some of them may be gone; that is harmless and can be repeated.",
      next: `docker volume inspect ${volume}`,
      cause,
    });
  try {
    const labels = await docker(["volume", "inspect", "-f", "{{json .Labels}}", volume]);
    if (labels.includes(`"${ownLabel}"`)) throw refuse("it is a volume of the stack's own.");
    const said = await docker(clearFilesArguments(volume, glob), { timeoutMs: 600_000 });
    const [count, bytes] = z.tuple([z.coerce.number(), z.coerce.number()]).parse(said.trim().split(" "));
    return { count, bytes };
  } catch (error) {
    if (isMissing(error)) return { count: 0, bytes: 0 };
    if (!(error instanceof DockerFailure)) throw error;
    throw refuse(error.stderr || error.message, error);
  }
}

const script = `
set -euo pipefail
cd /volume
find . -xdev -regextype posix-extended ! -type d -regex "$1" -printf '%s\\n' -delete |
  awk '{ n += 1; bytes += $1 } END { printf "%d %d\\n", n, bytes }'`;

/** `docker run` for it. Files may be anybody's: hence root, with no right but that to remove them. */
export function clearFilesArguments(volume: string, glob: string): string[] {
  return [
    ...["run", "--rm", "--network", "none", "--read-only", "--user", "0"],
    ...["--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE", "--security-opt", "no-new-privileges:true"],
    ...["-v", `${volume}:/volume`, "--entrypoint", "bash", gatewayImage],
    ...["-c", script, "bash", globToRegex(glob)],
  ];
}

/**
 * A glob as an extended POSIX expression over paths as `find .` writes them. `*` and `?` stay within a name; `**` between
 * slashes stands for any folders, also none, and at the end for everything below. Nothing else is special.
 */
export function globToRegex(glob: string): string {
  const pieces = glob.split(/(\*\*\/|\*\*|\*|\?)/).map((piece) => {
    if (piece === "**/") return "(.*/)?";
    if (piece === "**") return ".*";
    if (piece === "*") return "[^/]*";
    if (piece === "?") return "[^/]";
    return piece.replace(/[\\^$.|+()[\]{}]/g, "\\$&");
  });
  return `\\./${pieces.join("")}`;
}
