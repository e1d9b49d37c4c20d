import { takeDump } from "../../operations/backup/dump.ts";
import { ownPlace } from "../../operations/backup/place.ts";
import { docker } from "../../operations/docker/run.ts";
import type { Report } from "../report.ts";
import type { World } from "./world.ts";

/** Names of the cases. */
export const ourDump = "dump before a rollback, read back and hashed";
export const bareDump = "bare pg_dump -Fd -j2 --compress=zstd:1";

/** Dumps the same database both ways. */
export async function measureDumps(report: Report, { stack }: World): Promise<void> {
  const { postgres } = stack.names;
  const folder = "/var/lib/dumps/bare";
  const arguments_ = ["--format=directory", "--jobs=2", "--compress=zstd:1", `--file=${folder}`];
  const started = performance.now();
  await inServer(postgres, ["pg_dump", ...arguments_, "meal_planner"]);
  report.sample(bareDump, "took", "ms", performance.now() - started);
  await inServer(postgres, ["rm", "-rf", folder]);
  const began = performance.now();
  await takeDump({
    place: ownPlace(postgres, { volume: stack.volumes.dumps }),
    server: stack.server,
    stack: stack.names.network,
    revision: "bench",
    releases: ["1.2.0"],
    databases: new Map([["meal_planner", undefined]]),
    keep: 1,
    say: () => undefined,
  });
  report.sample(ourDump, "took", "ms", performance.now() - began);
}

async function inServer(container: string, command: readonly string[]): Promise<void> {
  await docker(["exec", "-u", "postgres", container, ...command], { timeoutMs: 3600_000 });
}
