import { Refusal } from "../../settings/refusal.ts";
import type { DumpManifest } from "./manifest.ts";

/** A database to dump. */
export interface DumpDatabase {
  readonly name: string;
  readonly schemaVersion: string | undefined;
  /** Size of its tables without indexes, bytes. */
  readonly tableBytes: number;
}

/** Free and total bytes of the file system that holds the repository. */
export interface Room {
  readonly free: number;
  readonly total: number;
}

/** What must stay free: a full disk stops a server whose log is on it. */
const reserveShare = 0.05;
const reserveMost = 1024 ** 3;

/**
 * Bytes that must be free before a dump begins. Without experience, as much as the tables take uncompressed; else what the last
 * dump's compression promises, and half as much again.
 */
export function bytesNeeded(
  databases: readonly Pick<DumpDatabase, "tableBytes">[],
  last: Pick<DumpManifest, "databases"> | undefined,
): number {
  const sum = (list: readonly { readonly tableBytes: number }[]): number =>
    list.reduce((total, { tableBytes }) => total + tableBytes, 0);
  const before = last === undefined ? 0 : sum(last.databases);
  const written = last?.databases.reduce((total, { bytes }) => total + bytes, 0) ?? 0;
  const ratio = before === 0 ? 1 : Math.min(1, (written / before) * 1.5);
  return Math.round(sum(databases) * ratio);
}

/** Refuses (`DUMP_NO_SPACE`) before anything is written when the repository has no room for the dump and a reserve. */
export function refuseWithoutRoom(needed: number, { free, total }: Room, where: string): void {
  const reserve = Math.min(reserveMost, Math.floor(total * reserveShare));
  if (free >= needed + reserve) return;
  throw new Refusal({
    code: "DUMP_NO_SPACE",
    found: `the dump may need ${size(needed)} and ${size(reserve)} must stay free, but ${where} has only ${size(free)}.`,
    untouched: "Nothing was dumped and nothing was stopped.",
    next: "Make room, lower rollback:cluster.backup.retention, or name another repository.",
  });
}

/** `df -Pk` of one path. */
export function roomFrom(df: string): Room {
  const fields = (df.trim().split("\n").at(-1) ?? "").split(/\s+/);
  const [total, free] = [Number(fields[1]) * 1024, Number(fields[3]) * 1024];
  if (!Number.isFinite(total) || !Number.isFinite(free)) throw new Error(`unexpected answer of df: ${df}`);
  return { free, total };
}

/**
 * Arguments of pg_dump for one database into `folder`. Directory format because it is written in parallel. zstd at level 1: of 367 MB
 * with two jobs on two busy cores it left 99 MB in 5 to 12 s, level 3 105 MB in 6 to 31 s, gzip 110 MB in 14 to 45 s, lz4 182 MB in 2
 * to 3 s. Nobody waits for it, since it comes before the fence, so size decides. A lock not had in 30 s ends it: it never queues for ever.
 */
export function pgDumpArguments(database: string, folder: string, jobs: number): string[] {
  return [
    ...["pg_dump", "--format=directory", `--jobs=${String(jobs)}`, "--compress=zstd:1", "--no-password"],
    ...["--lock-wait-timeout=30s", `--file=${folder}`, `--dbname=${conninfo(database)}`],
  ];
}

/** Roles and tablespaces without passwords. */
export function pgDumpallArguments(database: string, file: string): string[] {
  return [
    ...["pg_dumpall", "--globals-only", "--no-role-passwords", "--no-password"],
    ...[`--file=${file}`, `--database=${database}`],
  ];
}

/** A database's name as a connection string: a name with `=` would be taken for one. */
export function conninfo(database: string): string {
  return `dbname='${database.replaceAll(/[\\']/g, "\\$&")}'`;
}

/** Bytes for people, e.g. `11 MB`. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1000)));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : value.toFixed(0)} ${units[power] ?? ""}`;
}
