import { archiveConfigName, certificateOf, dataFolder, stanza } from "../../settings/archive.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Backup, S3, Secrets } from "../../settings/types.ts";
import { dumpsFolder, withPrivateFiles } from "../backup/place.ts";
import { docker, DockerFailure } from "../docker/run.ts";

/** Beside the dumps: one repository to keep safe, one volume to mount. */
export const archiveFolder = `${dumpsFolder}/pgbackrest`;

/** Milliseconds; a base backup takes as long as it takes. */
const patience = 24 * 3600_000;

/**
 * pgBackRest's configuration (https://pgbackrest.org/configuration.html). Holds the keys of an encrypted archive and of a bucket:
 * hand it over by standard input only. `start-fast`: without it a backup waits for the next timed checkpoint.
 */
export function archiveConfiguration(
  { encryption, retention, s3 }: Backup,
  secrets: Secrets,
  { file, data = dataFolder }: { readonly file: string; readonly data?: string },
): string {
  const lines = [
    "[global]",
    ...(s3 === undefined ? [`repo1-path=${archiveFolder}`] : bucket(s3, secrets, file)),
    `repo1-retention-full=${retention.full}`,
    ...(encryption === undefined
      ? []
      : ["repo1-cipher-type=aes-256-cbc", `repo1-cipher-pass=${secrets.get(encryption.secret)}`]),
    // Its files are as private as the umask asks for, instead of readable by their group.
    "neutral-umask=n",
    "start-fast=y",
    "compress-type=zst",
    "lock-path=/tmp/pgbackrest",
    "spool-path=/tmp/pgbackrest",
    "log-level-file=off",
    "log-level-console=warn",
    "log-timestamp=n",
    `exclude=${archiveConfigName}`,
    `exclude=${certificateOf(archiveConfigName)}`,
    "exclude=rollback-recovery.json",
    `[${stanza}]`,
    `pg1-path=${data}`,
  ];
  return `${lines.join("\n")}\n`;
}

function bucket(s3: S3, secrets: Secrets, file: string): string[] {
  return [
    "repo1-type=s3",
    `repo1-path=${s3.path}`,
    `repo1-s3-bucket=${s3.bucket}`,
    `repo1-s3-endpoint=${s3.endpoint}`,
    `repo1-s3-region=${s3.region}`,
    `repo1-s3-uri-style=${s3.style}`,
    `repo1-s3-key=${secrets.get(s3.key.secret)}`,
    `repo1-s3-key-secret=${secrets.get(s3.keySecret.secret)}`,
    `repo1-storage-port=${s3.port}`,
    // By default a dead storage is waited for so long, many times over, that the archiver seems to work.
    "io-timeout=15",
    ...(s3.verifyTls ? [] : ["repo1-storage-verify-tls=n"]),
    ...(s3.certificate === undefined ? [] : [`repo1-storage-ca-file=${certificateOf(file)}`]),
  ];
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

/** As `inServer`, in any container and with any command line; milliseconds until it is given up (default a day). */
export async function runArchive(
  container: string,
  command: readonly string[],
  timeoutMs = patience,
): Promise<string> {
  try {
    return await docker(["exec", "-u", "postgres", container, ...withPrivateFiles, ...command], {
      timeoutMs,
    });
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    throw archiveFailed(error);
  }
}

/** What pgBackRest says where a disk is full; its helper processes leave out why they were "unable to write". */
export const outOfRoom = /no space left on device|unable to write '/i;

function archiveFailed(error: DockerFailure): Refusal {
  const words = `${error.stderr}\n${error.stdout}`.split("\n").filter((line) => /ERROR|HINT|WARN/.test(line));
  const full = outOfRoom.test(error.message);
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

/** What a container is told of the archive: the configuration, and beside it whom to trust. Repeatable. */
export async function configureArchive(
  container: string,
  { backup, secrets }: { readonly backup: Backup; readonly secrets: Secrets },
  place: { readonly file: string; readonly data?: string },
): Promise<void> {
  const { s3 } = backup;
  if (s3?.certificate !== undefined) await writePrivate(container, certificateOf(place.file), s3.certificate);
  await writePrivate(container, place.file, archiveConfiguration(backup, secrets, place));
  if (s3 !== undefined) await refuseOutOfReach(container, s3);
}

/** pgBackRest itself tries for nine minutes before it says that nobody answers. */
async function refuseOutOfReach(container: string, { endpoint, port }: S3): Promise<void> {
  const knock = ["timeout", "10", "bash", "-c", ': < "/dev/tcp/$1/$2"', "sh", endpoint, String(port)];
  try {
    await docker(["exec", "-u", "postgres", container, ...knock]);
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    throw new Refusal({
      code: "ARCHIVE_FAILED",
      found: `${endpoint}, port ${port}, where the bucket of the archive is, cannot be reached from ${container}.`,
      untouched: "The server keeps every segment of its WAL until it is archived.",
      next: "Look at the network, and at rollback:cluster.backup.s3; then run `pulumi up` again.",
      cause: error,
    });
  }
}

/** Writes a file that only PostgreSQL's user can read. Repeatable. */
export async function writePrivate(container: string, file: string, text: string): Promise<void> {
  const script = `umask 077; cat > "$1.new" && mv "$1.new" "$1"`;
  await docker(["exec", "-i", "-u", "postgres", container, "sh", "-c", script, "sh", file], { input: text });
}
