import { z } from "zod";
import { dataFolder } from "../../settings/archive.ts";
import { size } from "../backup/plan.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { rowOf } from "../database/query.ts";
import { docker } from "../docker/run.ts";

/** The WAL that a server keeps because the archive has not taken it. */
export interface Waiting {
  readonly segments: number;
  readonly bytes: number;
  /** Bytes free where it is kept. */
  readonly free: number;
  /** Since when nothing has reached the archive; ISO 8601. */
  readonly since: string;
  /** Seconds until the disk is full if it goes on as since then; undefined: nothing waits, so nothing grows. */
  readonly lasts: number | undefined;
}

const waitingSchema = z.object({
  segments: z.coerce.number(),
  bytes: z.coerce.number(),
  since: z.date(),
  seconds: z.coerce.number(),
});

/** Measures it: what is marked as ready, and since when nothing was archived. */
export async function measureWaiting(container: string, server: Server): Promise<Waiting> {
  const [row, free] = await Promise.all([
    withClient(server, "postgres", (client) => rowOf(client, waitingSchema, waitingSelect)),
    docker(["exec", container, "sh", "-c", freeScript, "sh", `${dataFolder}/pg_wal`]),
  ]);
  const { segments, bytes, since, seconds } = row;
  return {
    ...{ segments, bytes, free: Number(free), since: since.toISOString() },
    lasts: lastsFor(Number(free), bytes, seconds),
  };
}

const waitingSelect = `
  select ready.segments, ready.segments * setting::bigint as bytes, since,
         extract(epoch from clock_timestamp() - since) as seconds
    from (select count(*) as segments from pg_ls_archive_statusdir() where name ~ '^[0-9A-F]{24}[.]ready$') ready,
         (select coalesce(last_archived_time, stats_reset, pg_postmaster_start_time()) as since from pg_stat_archiver) archiver,
         pg_settings
   where name = 'wal_segment_size'`;

const freeScript = "df -P --block-size=1 \"$1\" | awk 'NR == 2 { print $4 }'";

/** Seconds in which `free` bytes are used up when `bytes` were written in `seconds`. Pure. */
export function lastsFor(free: number, bytes: number, seconds: number): number | undefined {
  return bytes === 0 ? undefined : (free / bytes) * Math.max(1, seconds);
}

/** In words, e.g. `3 segments of WAL (50 MB) wait since …; 1.2 GB are free for more, enough for about 2.3 hours at that rate`. Pure. */
export function describeWaiting({ segments, bytes, free, since, lasts }: Waiting): string {
  const left = lasts === undefined ? "" : `, enough for about ${duration(lasts)} at the rate since then`;
  return `${segments} segments of WAL (${size(bytes)}) wait, nothing was archived since ${since}; ${size(free)} are free for more${left}. When that disk is full, PostgreSQL stops.`;
}

function duration(seconds: number): string {
  const [value, unit] =
    seconds < 120
      ? [seconds, "seconds"]
      : seconds < 7200
        ? [seconds / 60, "minutes"]
        : seconds < 172_800
          ? [seconds / 3600, "hours"]
          : [seconds / 86_400, "days"];
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}
