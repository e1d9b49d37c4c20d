import { docker } from "../../operations/docker/run.ts";

/**
 * Makes a volume of PostgreSQL's in memory, of this size (e.g. `64m`). A container keeps it mounted, since what is in it would be gone
 * without one; it bears these labels, by which it is to be removed.
 * @returns its id.
 */
export async function volumeInMemory(
  volume: string,
  size: string,
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  const options = ["type=tmpfs", "device=tmpfs", `o=size=${size},uid=999,gid=999,mode=0700`];
  await docker(["volume", "create", ...options.flatMap((option) => ["--opt", option]), volume]);
  const labelled = Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  const image = "rollback-postgres:17.1";
  return docker(["run", "-d", ...labelled, "-v", `${volume}:/kept`, "--entrypoint", "sleep", image, "3600"]);
}
