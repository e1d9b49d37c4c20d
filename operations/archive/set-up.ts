import { Refusal } from "../../settings/refusal.ts";
import type { Backup, Secrets } from "../../settings/types.ts";
import type { Say, Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { parseInfo } from "./info.ts";
import { configureArchive, inServer, serverConfig } from "./pgbackrest.ts";
import { dueBackup } from "./schedule.ts";
import type { BackupKind } from "./schedule.ts";

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

/** Makes the repository before the server is told to archive into it: it would otherwise fail from the first segment on. */
export async function prepareArchive({ container, say }: ArchiveRequest): Promise<void> {
  if (parseInfo(await inServer(container, "info", ["--output=json"])).exists) return;
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

/**
 * Makes a base backup, and then removes what retention does not keep, never the last good one. A database whose own pages are
 * damaged is refused as `BACKUP_DAMAGED`, with the older backups kept: to pgBackRest such a backup counts as one.
 */
export async function baseBackup(
  { container, say }: Pick<ArchiveRequest, "container" | "say">,
  kind: BackupKind,
): Promise<void> {
  const started = performance.now();
  await inServer(container, "backup", [`--type=${kind}`, "--no-expire-auto"]);
  await refuseDamagedPages(container);
  await inServer(container, "expire");
  say(`base backup (${kind}) in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function refuseDamagedPages(container: string): Promise<void> {
  const { backups, damaged } = parseInfo(await inServer(container, "info", ["--output=json"]));
  const [label] = [...backups.map((each) => each.label), ...damaged].sort().reverse();
  if (label === undefined || !damaged.includes(label)) return;
  throw new Refusal({
    code: "BACKUP_DAMAGED",
    found: `the base backup ${label} holds pages whose checksum is wrong: the database itself is damaged.`,
    untouched: "No older base backup was removed; nothing was stopped.",
    next: "See `npx rollback decide`; a recovery to before the damage is made from the older base backups.",
  });
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
