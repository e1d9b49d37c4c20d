import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";

const backupSchema = z.object({
  label: z.string(),
  type: z.enum(["full", "diff", "incr"]),
  error: z.boolean().nullish(),
  archive: z.object({ start: z.string(), stop: z.string() }),
  lsn: z.object({ start: z.string(), stop: z.string() }),
  timestamp: z.object({ start: z.number(), stop: z.number() }),
  info: z.object({ size: z.number(), repository: z.object({ delta: z.number() }).loose() }).loose(),
});

const statusSchema = z.object({ code: z.number(), message: z.string() }).loose();

const infoSchema = z.array(
  z.object({
    name: z.string(),
    status: statusSchema,
    repo: z.array(z.object({ status: statusSchema }).loose()).default([]),
    db: z.array(z.object({ "system-id": z.string(), version: z.string() }).loose()).default([]),
    archive: z
      .array(z.object({ id: z.string(), min: z.string().nullish(), max: z.string().nullish() }))
      .default([]),
    backup: z.array(backupSchema).default([]),
  }),
);

/** A base backup as the repository lists it. */
export interface BaseBackup {
  readonly label: string;
  readonly type: "full" | "diff" | "incr";
  readonly timeline: number;
  readonly startLsn: string;
  /** From here on it is consistent. */
  readonly stopLsn: string;
  /** First segment that a restore of it reads. */
  readonly startSegment: string;
  /** Milliseconds since the epoch, by whole seconds. */
  readonly stoppedAt: number;
  /** Bytes of the database. */
  readonly size: number;
}

export interface ArchiveInfo {
  /** False: `stanza-create` has not been run. */
  readonly exists: boolean;
  /** e.g. `17-1`: the folder of the WAL. */
  readonly archiveId: string | undefined;
  /** e.g. `17`. */
  readonly version: string | undefined;
  readonly systemIdentifier: string | undefined;
  /** Oldest first; damaged ones are left out. */
  readonly backups: readonly BaseBackup[];
  /** Labels of base backups, oldest first, in which pages have a wrong checksum: the database was damaged when they were made. */
  readonly damaged: readonly string[];
}

/**
 * What `pgbackrest info --output=json` printed. It ends well also where it could not read the repository; that is a Refusal
 * `ARCHIVE_FAILED`, since it would else look like an archive without a backup. Pure.
 */
export function parseInfo(printed: string): ArchiveInfo {
  const [stanza] = infoSchema.parse(
    // A number of 64 bits, which JSON.parse would round.
    JSON.parse(printed.replaceAll(/"system-id":(\d+)/g, '"system-id":"$1"')),
  );
  if (stanza?.status.code === unreadable) throw cannotRead(stanza.repo[0]?.status ?? stanza.status);
  // Code 1: missing stanza path; 3: missing stanza data (https://pgbackrest.org/command.html#command-info).
  const exists = stanza !== undefined && stanza.status.code !== 1 && stanza.status.code !== 3;
  return {
    exists,
    archiveId: stanza?.archive.at(-1)?.id,
    version: stanza?.db.at(-1)?.version,
    systemIdentifier: stanza?.db.at(-1)?.["system-id"],
    backups: (stanza?.backup ?? [])
      .filter(({ error }) => error !== true)
      .map(({ label, type, archive, lsn, timestamp, info }) => ({
        label,
        type,
        timeline: Number.parseInt(archive.start.slice(0, 8), 16),
        startLsn: lsn.start,
        stopLsn: lsn.stop,
        startSegment: archive.start,
        stoppedAt: timestamp.stop * 1000,
        size: info.size,
      })),
    damaged: (stanza?.backup ?? []).filter(({ error }) => error === true).map(({ label }) => label),
  };
}

/** Code of everything that has none of its own (https://pgbackrest.org/command.html#command-info). */
const unreadable = 99;

function cannotRead({ message }: { readonly message: string }): Refusal {
  const lines = message
    .split("\n")
    .filter((line) => !/^HINT: (has|use|is archive|backup|archive)/.test(line));
  return new Refusal({
    code: "ARCHIVE_FAILED",
    found: `the repository of the archive cannot be read: ${[...new Set(lines)].slice(0, 3).join("; ")}.`,
    untouched: "Nothing was changed in it; the server keeps every segment of its WAL until it is archived.",
    next: /CryptoError/.test(message)
      ? "Compare the passphrase of the repository with rollback:cluster.backup.encryption; then repeat."
      : "Look at rollback:cluster.backup.repository: its disk, and who may read it; then repeat.",
  });
}
