import { archiveConfigName, dataFolder, stanza } from "../../settings/archive.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Backup, Secrets } from "../../settings/types.ts";
import { dumpsFolder } from "../backup/place.ts";
import { docker, DockerFailure } from "../docker/run.ts";

/** Beside the dumps: one repository to keep safe, one volume to mount. */
export const archiveFolder = `${dumpsFolder}/pgbackrest`;

/** Milliseconds; a base backup takes as long as it takes. */
const patience = 24 * 3600_000;

/**
 * pgBackRest's configuration (https://pgbackrest.org/configuration.html). Holds the key of an encrypted archive: hand it over by
 * standard input only. `start-fast`: without it a backup waits for the next timed checkpoint.
 */
export function archiveConfiguration(backup: Backup, secrets: Secrets): string {
  const { encryption, retention } = backup;
  const lines = [
    "[global]",
    `repo1-path=${archiveFolder}`,
    `repo1-retention-full=${retention.full}`,
    ...(encryption === undefined
      ? []
      : ["repo1-cipher-type=aes-256-cbc", `repo1-cipher-pass=${secrets.get(encryption.secret)}`]),
    "start-fast=y",
    "compress-type=zst",
    "lock-path=/tmp/pgbackrest",
    "spool-path=/tmp/pgbackrest",
    "log-level-file=off",
    "log-level-console=warn",
    "log-timestamp=n",
    `exclude=${archiveConfigName}`,
    "exclude=rollback-recovery.json",
    `[${stanza}]`,
    `pg1-path=${dataFolder}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Arguments that every call of pgBackRest begins with. */
export function pgbackrest(config: string, command: string, options: readonly string[] = []): string[] {
  return ["pgbackrest", `--config=${config}`, `--stanza=${stanza}`, command, ...options];
}

/** Path of the configuration in the server's own container. */
export const serverConfig = `${dataFolder}/${archiveConfigName}`;

/** Runs pgBackRest in the server's container. What it refuses is a Refusal `ARCHIVE_FAILED` with its words. */
export async function inServer(
  container: string,
  command: string,
  options: readonly string[] = [],
): Promise<string> {
  return runArchive(container, pgbackrest(serverConfig, command, options));
}

/** As `inServer`, in any container and with any command line. */
export async function runArchive(container: string, command: readonly string[]): Promise<string> {
  try {
    return await docker(["exec", "-u", "postgres", container, ...command], { timeoutMs: patience });
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    throw archiveFailed(error);
  }
}

function archiveFailed(error: DockerFailure): Refusal {
  const words = `${error.stderr}\n${error.stdout}`.split("\n").filter((line) => /ERROR|HINT|WARN/.test(line));
  const full = /no space left on device/i.test(error.message);
  return new Refusal({
    code: "ARCHIVE_FAILED",
    found: `pgBackRest: ${(words.length === 0 ? [error.message] : words).slice(0, 3).join("; ")}.`,
    untouched: "The server keeps every segment of its WAL until it is archived.",
    next: full
      ? "Make room where the repository is (rollback:cluster.backup.repository), then run `pulumi up` again."
      : "Mend what pgBackRest names, then run `pulumi up` again.",
    cause: error,
  });
}

/** Writes the configuration where only PostgreSQL's user can read it. Repeatable. */
export async function writeConfiguration(container: string, file: string, text: string): Promise<void> {
  const script = `umask 077; cat > "$1.new" && mv "$1.new" "$1"`;
  await docker(["exec", "-i", "-u", "postgres", container, "sh", "-c", script, "sh", file], { input: text });
}
