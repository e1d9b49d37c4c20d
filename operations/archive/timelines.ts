import { pgbackrest, runArchive, serverConfig } from "./pgbackrest.ts";

/** Name of the file in which a timeline's history is archived. */
export function historyName(timeline: number): string {
  return `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
}

/** Of the cluster that is archived now; only its own folder is listed, which stays short however much WAL there is. */
const listing = `ids=$("$@" archive/main)
id=$(printf '%s\\n' "$ids" | grep -E '^[0-9]+-[0-9]+$' | sort -t- -k2n | tail -n 1 || true)
[ -z "$id" ] || "$@" "archive/main/$id"`;

/**
 * Timelines whose history is in the archive; a restore follows the newest unless it is told otherwise. The first one has none.
 * Asks in the server's container; `ARCHIVE_FAILED` when the archive does not answer. `timeoutMs`: default a day.
 */
export async function archivedTimelines(container: string, timeoutMs?: number): Promise<number[]> {
  const list = pgbackrest(serverConfig, "repo-ls");
  return timelinesIn(await runArchive(container, ["sh", "-ec", listing, "sh", ...list], timeoutMs));
}

/** From the names in the archive's folder. Pure. */
export function timelinesIn(listed: string): number[] {
  return [...listed.matchAll(/^([0-9A-F]{8})\.history$/gm)].map(([, hex = ""]) => Number.parseInt(hex, 16));
}
