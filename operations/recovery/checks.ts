import type { OwnCluster } from "../../settings/types.ts";
import type { ArchiveInfo } from "../archive/info.ts";
import { oldFolder, readerShell, type Reader } from "./reader.ts";
import { refuseRecovery } from "./refusals.ts";

/** Settings that a server in recovery needs at least as high as the source had them, by pg_controldata's names. */
const parameters: readonly (readonly [string, string])[] = [
  ["max_connections", "max_connections setting"],
  ["max_worker_processes", "max_worker_processes setting"],
  ["max_wal_senders", "max_wal_senders setting"],
  ["max_prepared_transactions", "max_prepared_xacts setting"],
  ["max_locks_per_transaction", "max_locks_per_xact setting"],
];

/** What the source ran with. Pure. */
export function parametersOf(control: ReadonlyMap<string, string>): ReadonlyMap<string, number> {
  return new Map(
    parameters.flatMap(([name, label]) => {
      const value = Number(control.get(label));
      return Number.isFinite(value) ? [[name, value] as const] : [];
    }),
  );
}

interface Possible {
  readonly reader: Reader;
  readonly info: ArchiveInfo;
  readonly control: ReadonlyMap<string, string>;
  readonly cluster: OwnCluster;
}

/** Refuses what no target could mend: another cluster's archive, another PostgreSQL, settings too low, no room. */
export async function checkPossible({ reader, info, control, cluster }: Possible): Promise<void> {
  const identifier = control.get("Database system identifier");
  if (info.backups.length === 0) {
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
  const printed = await readerShell(reader, 'postgres --version; df -Pk "$1" | tail -n 1', [oldFolder]);
  const [version = "", disk = ""] = printed.split("\n");
  const major = /\) (\d+)/.exec(version)?.[1];
  if (major !== info.version) {
    throw refuseRecovery(
      "MAJOR_MISMATCH",
      `the archive was written by PostgreSQL ${info.version ?? "?"}, ${cluster.image} has ${major ?? "?"}.`,
      `Name an image of PostgreSQL ${info.version ?? "?"}:  rollback:cluster.image`,
    );
  }
  const low = [...parametersOf(control)].filter(([name, source]) => {
    const wanted = cluster.settings.get(name);
    return wanted !== undefined && Number(wanted) < source;
  });
  if (low.length > 0) {
    throw refuseRecovery(
      "PARAMS_TOO_LOW",
      `recovery needs settings at least as high as the source had: ${low.map(([name, source]) => `${name} ${source}, not ${cluster.settings.get(name) ?? ""}`).join("; ")}.`,
      "Raise them in rollback:cluster.settings; they can be lowered when the recovery is over.",
    );
  }
  const free = Number(disk.trim().split(/ +/)[3]) * 1024;
  const needed = (info.backups.at(-1)?.size ?? 0) * 1.1 + 512 * 1024 ** 2;
  if (free < needed) {
    throw refuseRecovery(
      "NO_SPACE",
      `the new volume needs about ${Math.ceil(needed / 1024 ** 2)} MB, ${Math.floor(free / 1024 ** 2)} MB are free.`,
      "Make room where Docker keeps its volumes.",
    );
  }
}
