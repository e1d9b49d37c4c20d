import { z } from "zod";

const backupSchema = z.object({
  label: z.string(),
  type: z.enum(["full", "diff", "incr"]),
  error: z.boolean().nullish(),
  archive: z.object({ start: z.string(), stop: z.string() }),
  lsn: z.object({ start: z.string(), stop: z.string() }),
  timestamp: z.object({ start: z.number(), stop: z.number() }),
  info: z.object({ size: z.number(), repository: z.object({ delta: z.number() }).loose() }).loose(),
});

const infoSchema = z.array(
  z.object({
    name: z.string(),
    status: z.object({ code: z.number(), message: z.string() }).loose(),
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
}

/** What `pgbackrest info --output=json` printed; pure. */
export function parseInfo(printed: string): ArchiveInfo {
  const [stanza] = infoSchema.parse(
    // A number of 64 bits, which JSON.parse would round.
    JSON.parse(printed.replaceAll(/"system-id":(\d+)/g, '"system-id":"$1"')),
  );
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
  };
}
