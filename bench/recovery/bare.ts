import { setTimeout as sleep } from "node:timers/promises";
import { refuseIfInVain } from "../../operations/docker/in-vain.ts";
import { docker, DockerFailure } from "../../operations/docker/run.ts";
import type { Report } from "../report.ts";
import type { World } from "./world.ts";

/** Name of the case. */
export const bare = "pgbackrest restore and replay by hand";

const data = "/var/lib/postgresql/data";

/**
 * What a person would type who knows the name of everything: restore the same base backup into a new volume, start PostgreSQL
 * on it and wait until it has replayed up to the same point and takes writes.
 */
export async function measureBare(report: Report, world: World, point: string): Promise<void> {
  const { stack, backup } = world;
  const name = `${stack.project}-bare`;
  report.say(`${bare} …`);
  const remove = async (): Promise<void> => {
    await docker(["rm", "-f", name]);
    await docker(["volume", "rm", "-f", name]);
  };
  const { postgres } = stack.names;
  const configuration = await docker(["exec", postgres, "cat", `${data}/rollback-pgbackrest.conf`]);
  const started = performance.now();
  try {
    const mounts = ["-v", `${name}:${data}`, "-v", `${stack.volumes.dumps}:/var/lib/dumps:ro`];
    const restore = `umask 077; cat > /tmp/c; pgbackrest --config=/tmp/c --stanza=main restore "$@"; cat /tmp/c > ${data}/rollback-pgbackrest.conf`;
    const options = [
      ...[`--set=${backup}`, "--type=name", `--target=${point}`, "--target-timeline=1"],
      ...["--target-action=promote", "--archive-mode=off"],
      `--recovery-option=restore_command=pgbackrest --config=${data}/rollback-pgbackrest.conf --stanza=main archive-get %f "%p"`,
    ];
    const shell = ["--entrypoint", "bash", "rollback-postgres:17.1", "-c", restore, "sh", ...options];
    await docker(["run", "--rm", "-i", ...mounts, ...shell], {
      input: configuration,
      timeoutMs: 3600_000,
    });
    const restored = performance.now();
    await docker(["run", "-d", "--name", name, "--shm-size", "256m", ...mounts, "rollback-postgres:17.1"]);
    while (!(await writable(name))) {
      await refuseIfInVain(name);
      await sleep(50);
    }
    const done = performance.now();
    report.sample(bare, "restore and replay", "ms", done - started);
    report.sample(bare, "until it serves", "ms", done - started);
    report.sample(`${bare}: steps`, "restore", "ms", restored - started);
    report.sample(`${bare}: steps`, "replay", "ms", done - restored);
  } finally {
    await remove();
  }
}

async function writable(container: string): Promise<boolean> {
  try {
    const asked = ["psql", "-Atqc", "select pg_is_in_recovery()"];
    return (await docker(["exec", "-u", "postgres", container, ...asked])) === "f";
  } catch (error) {
    if (error instanceof DockerFailure) return false;
    throw error;
  }
}
