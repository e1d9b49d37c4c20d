import { randomBytes } from "node:crypto";
import { dataFolder } from "../../settings/archive.ts";
import { configureArchive, pgbackrest, runArchive, serverConfig } from "../archive/pgbackrest.ts";
import { parseInfo, type ArchiveInfo } from "../archive/info.ts";
import { dumpsFolder, type DumpRepository } from "../backup/place.ts";
import { docker } from "../docker/run.ts";
import type { Backup, Secrets } from "../../settings/types.ts";

/** A passing container that can read the archive and the volume recovered from, and write neither. */
export interface Reader {
  readonly container: string;
  /** Data directory that is read, in it. */
  readonly data: string;
  /** Folder of its own for what is fetched. */
  readonly scratch: string;
  /** Command line of pgBackRest in it. */
  readonly pgbackrest: (command: string, options?: readonly string[]) => string[];
}

export interface ReaderRequest {
  readonly image: string;
  readonly backup: Backup;
  readonly secrets: Secrets;
  /** Volume recovered from. */
  readonly from: string;
  /** Beginning of the container's name, and its labels. */
  readonly prefix: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Where the volume recovered from is mounted, read-only. */
export const oldFolder = "/old";
const config = "/dev/shm/pgbackrest.conf";

/** `-v` of a repository. */
export function repositoryMount(repository: DumpRepository, mode: "ro" | "rw"): string[] {
  const source = "volume" in repository ? repository.volume : repository.folder;
  return ["-v", `${source}:${dumpsFolder}:${mode}`];
}

/** Runs `work` with a reader and removes that afterwards; the one of a killed program ends by itself after a day. */
export async function withReader<T>(
  request: ReaderRequest,
  work: (reader: Reader) => Promise<T>,
): Promise<T> {
  const container = `${request.prefix}-recovery-${randomBytes(4).toString("hex")}`;
  await docker([
    ...["run", "-d", "--rm", "--init", "--name", container, "-u", "postgres", "--entrypoint", "sleep"],
    ...Object.entries(request.labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    ...repositoryMount(request.backup.repository, "ro"),
    ...["-v", `${request.from}:${oldFolder}:ro`, request.image, "86400"],
  ]);
  try {
    await configureArchive(container, request, { file: config, data: oldFolder });
    return await work({
      ...{ container, data: oldFolder, scratch: "/tmp/wal" },
      pgbackrest: (command, options = []) => pgbackrest(config, command, options),
    });
  } finally {
    await docker(["rm", "-f", container]);
  }
}

/** As `withReader`, in the container of the server that runs: at once, which counts while everybody waits. */
export async function withServerReader<T>(
  container: string,
  work: (reader: Reader) => Promise<T>,
): Promise<T> {
  const reader: Reader = {
    ...{ container, data: dataFolder, scratch: `/tmp/wal-${randomBytes(4).toString("hex")}` },
    pgbackrest: (command, options = []) => pgbackrest(serverConfig, command, options),
  };
  try {
    return await work(reader);
  } finally {
    await readerShell(reader, 'rm -rf "$1"', [reader.scratch]);
  }
}

/** Shell in the reader; what varies goes in as `$1`, `$2`, …. */
export function readerShell(
  { container }: Reader,
  script: string,
  values: readonly string[] = [],
  input = "",
): Promise<string> {
  return docker(
    [
      "exec",
      "-i",
      "-u",
      "postgres",
      container,
      "bash",
      "-c",
      `set -euo pipefail; ${script}`,
      "sh",
      ...values,
    ],
    {
      timeoutMs: 24 * 3600_000,
      input,
    },
  );
}

/** What the repository holds. */
export async function archiveInfo(reader: Reader): Promise<ArchiveInfo> {
  return parseInfo(await runArchive(reader.container, reader.pgbackrest("info", ["--output=json"])));
}

/** Names of the segments in the archive, of all timelines. `id` as `17-1`. */
export async function archivedSegments(reader: Reader, id: string): Promise<ReadonlySet<string>> {
  const listed = await runArchive(
    reader.container,
    reader.pgbackrest("repo-ls", ["--recurse", `archive/main/${id}`]),
  );
  return new Set(listed.match(/(?<=^|\/)[0-9A-F]{24}(?=-[0-9a-f]{40})/gm) ?? []);
}

/** Text of a timeline's history file; empty for the first timeline. */
export async function readHistory(reader: Reader, timeline: number): Promise<string> {
  if (timeline === 1) return "";
  const name = `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
  const script = `if [ -e "$1/pg_wal/$2" ]; then cat "$1/pg_wal/$2"; else shift 2; "$@" 1>&2; cat /dev/shm/history; fi`;
  return readerShell(reader, script, [
    oldFolder,
    name,
    ...reader.pgbackrest("archive-get", [name, "/dev/shm/history"]),
  ]);
}

/** What pg_controldata says of the volume recovered from, by its English names. */
export async function controlData(reader: Reader): Promise<ReadonlyMap<string, string>> {
  return parseControl(await readerShell(reader, 'pg_controldata --pgdata="$1"', [oldFolder]));
}

/** What `pg_controldata` printed, by its English names. Pure. */
export function parseControl(printed: string): ReadonlyMap<string, string> {
  return new Map(
    printed.split("\n").flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]];
    }),
  );
}
