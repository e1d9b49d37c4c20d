import { stanza } from "../../settings/archive.ts";
import { isRefusal, Refusal } from "../../settings/refusal.ts";
import type { Say } from "../database/connection.ts";
import { parseInfo } from "./info.ts";
import { archiveFolder, inServer, outOfRoom, runArchive } from "./pgbackrest.ts";
import type { BackupKind } from "./schedule.ts";

/**
 * Makes a base backup, and then removes what retention does not keep, never the last good one. A database whose own pages are
 * damaged is refused as `BACKUP_DAMAGED`, with the older backups kept: to pgBackRest such a backup counts as one.
 */
export async function baseBackup(
  { container, say }: { readonly container: string; readonly say: Say },
  kind: BackupKind,
): Promise<void> {
  const started = performance.now();
  try {
    await inServer(container, "backup", [`--type=${kind}`, "--no-expire-auto"]);
  } catch (error) {
    throw isRefusal(error) && outOfRoom.test(error.details.found) ? await madeRoom(container, error) : error;
  }
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

/** What has no manifest yet is unfinished. Under pgBackRest's own lock: another backup that is being made is no leftover. */
const removal = `flock -n "$1" sh -c 'for each in "$1"/2*; do
    if [ -d "$each" ] && [ ! -L "$each" ] && [ ! -e "$each/backup.manifest" ]; then rm -rf "$each"; fi
  done' sh "$2"`;

/**
 * pgBackRest leaves what it has written for the next attempt to go on with; where the disk is full, no segment of the WAL would
 * reach the archive any more until then.
 */
async function madeRoom(container: string, full: Refusal): Promise<Refusal> {
  const places = [`/tmp/pgbackrest/${stanza}-backup-1.lock`, `${archiveFolder}/backup/${stanza}`];
  try {
    await runArchive(container, ["sh", "-ec", removal, "sh", ...places]);
  } catch {
    // What was refused first is what counts; the leftover is gone on with, or removed, by the next base backup.
    return full;
  }
  return new Refusal({
    ...full.details,
    untouched: `${full.details.untouched ?? ""} What was written of this base backup was removed; older ones stay.`,
  });
}
