import type { OwnCluster } from "../../settings/types.ts";
import type { ArchiveInfo, BaseBackup } from "../archive/info.ts";
import { oldFolder, readerShell, type Reader } from "./reader.ts";
import { refuseRecovery } from "./refusals.ts";
import { parseLsn } from "./wal.ts";

/** Settings that a server in recovery needs at least as high as the source had them, by pg_controldata's names. */
const parameters: readonly (readonly [string, string])[] = [
  ["max_connections", "max_connections setting"],
  ["max_worker_processes", "max_worker_processes setting"],
  ["max_wal_senders", "max_wal_senders setting"],
  ["max_prepared_transactions", "max_prepared_xacts setting"],
  ["max_locks_per_transaction", "max_locks_per_xact setting"],
];

/** What the source runs with now. Pure. */
export function parametersOf(control: ReadonlyMap<string, string>): ReadonlyMap<string, number> {
  return new Map(
    parameters.flatMap(([name, label]) => {
      const value = Number(control.get(label));
      return Number.isFinite(value) ? [[name, value] as const] : [];
    }),
  );
}

/** The highest of what it runs with and what it ever ran with in this stretch of WAL: replay passes through all of it. Pure. */
export function highestParameters(
  now: ReadonlyMap<string, number>,
  changes: readonly ReadonlyMap<string, number>[],
): ReadonlyMap<string, number> {
  return new Map(
    parameters.flatMap(([name, label]) => {
      const logged = label.replace(/ setting$/, "");
      const values = [now.get(name), ...changes.map((change) => change.get(logged))].filter(
        (value) => value !== undefined,
      );
      return values.length === 0 ? [] : [[name, Math.max(...values)] as const];
    }),
  );
}

/** The higher of what is known of the source and what is configured, which counts alone where nothing is known. Pure. */
export function orConfigured(
  source: ReadonlyMap<string, number>,
  { settings }: Pick<OwnCluster, "settings">,
): ReadonlyMap<string, number> {
  return new Map(
    parameters.flatMap(([name]) => {
      const values = [source.get(name) ?? NaN, Number(settings.get(name))].filter(Number.isFinite);
      return values.length === 0 ? [] : [[name, Math.max(...values)] as const];
    }),
  );
}

/** Refuses an image whose PostgreSQL is another than the volume's: nothing it says of volume or archive could be relied on. */
export async function checkImage(reader: Reader, { image }: OwnCluster): Promise<void> {
  const printed = await readerShell(reader, 'cat "$1/PG_VERSION"; postgres --version', [oldFolder]);
  const [version = "", program = ""] = printed.split("\n");
  const major = /\) (\d+)/.exec(program)?.[1];
  if (major === version.trim()) return;
  throw refuseRecovery(
    "MAJOR_MISMATCH",
    `the volume was written by PostgreSQL ${version.trim()}, ${image} has ${major ?? "?"}.`,
    `Name an image of PostgreSQL ${version.trim()}:  rollback:cluster.image`,
  );
}

interface Possible {
  readonly reader: Reader;
  readonly info: ArchiveInfo;
  readonly control: ReadonlyMap<string, string>;
  /** Bytes free on a new volume that is there already; undefined: it will be made beside the one in use. */
  readonly free: number | undefined;
  readonly source: SourceSize;
}

/** What a copy of the source needs, in bytes. */
export interface SourceSize {
  /** All databases as they are now: the last base backup may be much smaller. */
  readonly databases: number;
  /** `max_wal_size`: replay keeps so much of the WAL that it has read. */
  readonly walKept: number;
  /** Where it writes. */
  readonly lsn: bigint;
}

/** Bytes that a new volume needs: the data as it was or has become, the WAL that replay keeps, and a reserve. Pure. */
export function roomFor({ size, startLsn }: BaseBackup, { databases, walKept, lsn }: SourceSize): number {
  const wal = Math.min(walKept, Number(lsn - parseLsn(startLsn)));
  return Math.max(size, databases) * 1.1 + wal + 512 * 1024 ** 2;
}

/** Refuses what no target could mend: another cluster's archive, or no room. */
export async function checkPossible({ reader, info, control, free, source }: Possible): Promise<void> {
  const identifier = control.get("Database system identifier");
  const last = info.backups.at(-1);
  if (last === undefined) {
    throw refuseRecovery(
      "BEFORE_BACKUP_END",
      "the archive holds no base backup.",
      "Make one for the next time:  npx rollback backup --type full;  for now, restore a dump (docs/break-glass.md).",
    );
  }
  if (info.systemIdentifier !== identifier) {
    throw refuseRecovery(
      "WRONG_CLUSTER",
      `the archive belongs to the cluster ${info.systemIdentifier ?? "(none)"}, the volume to ${identifier ?? "(none)"}.`,
      "Name the repository that belongs to the volume:  rollback:cluster.backup.repository",
    );
  }
  const room = free ?? (await freeBeside(reader));
  const needed = roomFor(last, source);
  if (room < needed) {
    throw refuseRecovery(
      "NO_SPACE",
      `the new volume needs about ${Math.ceil(needed / 1024 ** 2)} MB, ${Math.floor(room / 1024 ** 2)} MB are free.`,
      free === undefined ? "Make room where Docker keeps its volumes." : "Make room on that volume.",
    );
  }
}

async function freeBeside(reader: Reader): Promise<number> {
  return Number(await readerShell(reader, freeScript, [oldFolder]));
}

/** Prints the bytes free below `$1`. */
export const freeScript = "df -P --block-size=1 \"$1\" | awk 'NR == 2 { print $4 }'";

/** Refuses settings lower than what replay will ask for: recovery would end there, or pause short of its target. */
export function checkParameters({ settings }: OwnCluster, source: ReadonlyMap<string, number>): void {
  const low = [...source].filter(([name, value]) => {
    const wanted = settings.get(name);
    return wanted !== undefined && Number(wanted) < value;
  });
  if (low.length === 0) return;
  throw refuseRecovery(
    "PARAMS_TOO_LOW",
    `recovery needs settings at least as high as the source had: ${low.map(([name, value]) => `${name} ${value}, not ${settings.get(name) ?? ""}`).join("; ")}.`,
    "Raise them in rollback:cluster.settings; they can be lowered when the recovery is over.",
  );
}
