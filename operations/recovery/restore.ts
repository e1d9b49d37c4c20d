import { archiveConfigName, dataFolder } from "../../settings/archive.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { OwnCluster, Secrets } from "../../settings/types.ts";
import { configureArchive, pgbackrest, runArchive, serverConfig } from "../archive/pgbackrest.ts";
import { docker } from "../docker/run.ts";
import { freeScript, parametersOf } from "./checks.ts";
import { oldFolder, parseControl, readerShell, readHistory, type Reader } from "./reader.ts";
import { branches, forkSegments } from "./segments.ts";
import { refuseRecovery } from "./refusals.ts";
import type { RecoveryPlan } from "./types.ts";
import { endOfWal, formatLsn, parseLsn } from "./wal.ts";

/** What is restored, and how far it is replayed when the server starts; without a target as far as there is WAL. */
export type Restoration = Pick<RecoveryPlan, "backup" | "timeline" | "parameters" | "standIn"> & {
  readonly target: RecoveryPlan["target"] | undefined;
};

/**
 * Restores a base backup into the data directory of a container that waits, which must be empty, and sets it up to replay up to the
 * target and pause there, or to wait at the end. Refuses `NO_SPACE` and `MANIFEST_BAD`.
 */
export async function restoreBackup(
  container: string,
  cluster: OwnCluster,
  secrets: Secrets,
  restoration: Restoration,
): Promise<void> {
  const config = "/dev/shm/pgbackrest.conf";
  const archive = { backup: cluster.backup, secrets };
  await configureArchive(container, archive, { file: config });
  try {
    await runArchive(container, pgbackrest(config, "restore", restoreOptions(restoration)));
  } catch (error) {
    const words = error instanceof Refusal ? error.details.found : "";
    // pgBackRest does not always say why it was "unable to write".
    if (/no space left/i.test(words) || (await leftIn(container)) < 1024 ** 2) {
      throw refuseRecovery(
        "NO_SPACE",
        `the disk of the new volume was full before ${restoration.backup.label} was restored: ${words}`,
        "Make room there, then run `pulumi up` again: the recovery is begun anew.",
        error,
      );
    }
    throw refuseRecovery(
      "MANIFEST_BAD",
      `the base backup ${restoration.backup.label} cannot be restored: ${words}`,
      "Choose a target after another base backup, or restore a dump. Make a new base backup now:  npx rollback backup --type full",
      error,
    );
  }
  await configureArchive(container, archive, { file: serverConfig });
  const backup = parametersOf(
    parseControl(await docker(["exec", "-u", "postgres", container, "pg_controldata", dataFolder])),
  );
  const needed = [...restoration.parameters].map(
    // The source may have run with more when the base backup was made.
    ([name, value]) => [name, String(Math.max(value, backup.get(name) ?? 0))] as const,
  );
  await addSettings(container, needed);
  await layForkSegments({ container, config, restoration });
}

/** Bytes free on the new volume. */
async function leftIn(container: string): Promise<number> {
  return Number(
    await docker(["exec", "-u", "postgres", container, "sh", "-c", freeScript, "sh", dataFolder]),
  );
}

interface Forks {
  readonly container: string;
  readonly config: string;
  readonly restoration: Restoration;
}

/**
 * A transaction that was prepared and not ended yet where a timeline was left is looked up there once more by replay, in the older
 * timeline's copy of that segment and in `pg_wal` only; replay itself fetches the newer one's. Without the older copy PostgreSQL 17 ends
 * with `FATAL: requested WAL segment … has already been removed`.
 */
async function layForkSegments({ container, config, restoration }: Forks): Promise<void> {
  const { backup, target, timeline } = restoration;
  const reader: Reader = {
    ...{ container, data: dataFolder, scratch: "/tmp/wal" },
    pgbackrest: (command, options = []) => pgbackrest(config, command, options),
  };
  const names = forkSegments(
    branches(timeline, await readHistory(reader, timeline)),
    parseLsn(backup.startLsn),
    target?.lsn ?? endOfWal,
  );
  if (restoration.standIn !== undefined) {
    const { segment, copy } = restoration.standIn;
    await runArchive(container, reader.pgbackrest("archive-get", [copy, `${dataFolder}/pg_wal/${segment}`]));
  }
  const script =
    'to=$1/pg_wal old=$2/pg_wal; shift 2; while read -r name; do "$@" "$name" "$to/$name" </dev/null >/dev/null 2>&1 || cp "$old/$name" "$to/$name" 2>/dev/null || true; done';
  const values = [dataFolder, oldFolder, ...reader.pgbackrest("archive-get", ["--log-level-console=off"])];
  await readerShell(reader, script, values, names.map((name) => `${name}\n`).join(""));
}

/** Appends settings to what `ALTER SYSTEM` wrote: of several for one name the last counts. */
export async function addSettings(
  container: string,
  settings: readonly (readonly [string, string])[],
): Promise<void> {
  const script = `cat >> ${dataFolder}/postgresql.auto.conf`;
  const input = settings.map(([name, value]) => `${name} = '${value}'\n`).join("");
  await docker(["exec", "-i", "-u", "postgres", container, "sh", "-c", script], { input });
}

/** As many as pg_dump has jobs: the server that goes on serving beside it needs the rest of the machine. */
const processes = 2;

/** Where segments wait that are fetched before replay asks for them: in memory, pgBackRest's default of 128 MiB at most. */
const spoolFolder = "/dev/shm/pgbackrest";

/** Options of `pgbackrest restore`; pure. The set is always named: by itself pgBackRest takes the newest for some targets. */
function restoreOptions({ backup, target, timeline }: Restoration): string[] {
  const ahead = `--archive-async --process-max=${processes} --spool-path=${spoolFolder}`;
  const get = `pgbackrest --config=${dataFolder}/${archiveConfigName} --stanza=main archive-get ${ahead} %f "%p"`;
  const until =
    target === undefined
      ? // Else it would open a new timeline by itself where the WAL ends, or breaks.
        ["--type=standby"]
      : [
          ...["--type=lsn", `--target=${formatLsn(target.lsn)}`],
          ...[...(target.inclusive ? [] : ["--target-exclusive"]), "--target-action=pause"],
        ];
  return [
    ...[`--process-max=${processes}`, `--set=${backup.label}`, ...until, `--target-timeline=${timeline}`],
    // What a killed source did not archive is still on its volume.
    `--recovery-option=restore_command=${get} || cp ${oldFolder}/pg_wal/%f "%p"`,
  ];
}
