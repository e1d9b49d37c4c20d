import { Refusal } from "../../settings/refusal.ts";
import type { Backup, Secrets } from "../../settings/types.ts";
import type { Say, Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { parseInfo } from "./info.ts";
import { baseBackup } from "./base-backup.ts";
import { archiveFolder, configureArchive, inServer, runArchive, serverConfig } from "./pgbackrest.ts";
import { dueBackup } from "./schedule.ts";

export interface ArchiveRequest {
  /** The server's container. */
  readonly container: string;
  readonly server: Server;
  readonly backup: Backup;
  readonly secrets: Secrets;
  readonly say: Say;
}

/** Tells the server where the archive is. Repeatable. */
export async function configureServer({ container, backup, secrets }: ArchiveRequest): Promise<void> {
  await configureArchive(container, { backup, secrets }, { file: serverConfig });
}

/**
 * Makes the repository before the server is told to archive into it: it would otherwise fail from the first segment on. One that is
 * there is closed to everybody but PostgreSQL's own user, whoever made it.
 */
export async function prepareArchive({ container, backup, say }: ArchiveRequest): Promise<void> {
  if (parseInfo(await inServer(container, "info", ["--output=json"])).exists) {
    if (backup.s3 === undefined) await runArchive(container, ["chmod", "go-rwx", archiveFolder]);
    return;
  }
  await inServer(container, "stanza-create");
  say("made the archive of the WAL");
}

/**
 * Proves that the archive works: a segment is switched and waited for (`ARCHIVE_FAILED` when it does not arrive), and the
 * base backup that is due is made, the first one always.
 */
export async function checkArchive(request: ArchiveRequest): Promise<void> {
  const { container, backup, server, say } = request;
  // After a start archive_timeout does nothing until the checkpointer first wakes, up to five minutes later.
  await withClient(server, "postgres", (client) => client.query("select pg_reload_conf()"));
  await inServer(container, "check", ["--archive-timeout=60"]);
  const info = parseInfo(await inServer(container, "info", ["--output=json"]));
  const due =
    backup.schedule === undefined ? undefined : dueBackup(backup.schedule, info.backups, new Date());
  if (due !== undefined) await baseBackup(request, due);
  const last = due === undefined ? info.backups.at(-1) : undefined;
  const age =
    last === undefined ? "now" : `${((Date.now() - last.stoppedAt) / 3600_000).toFixed(1)} hours ago`;
  say(`the WAL archive works; last base backup: ${age}`);
}

/** Switches the WAL and waits until what has been written up to now is in the archive. */
export async function archiveUpToNow(container: string): Promise<void> {
  await inServer(container, "check", ["--archive-timeout=60"]);
}

/** A server that archives nothing any more must not be left for another volume: what it wrote last would be in no archive. */
export function archiveBehind(segment: string): Refusal {
  return new Refusal({
    code: "ARCHIVE_FAILED",
    found: `the WAL archive fails since ${segment}, and the server would be left with what it has not archived.`,
    untouched: "Nothing was stopped; the server keeps every segment of its WAL until it is archived.",
    next: "See `npx rollback backup`, mend what it names, and wait until the server has archived it.",
  });
}
