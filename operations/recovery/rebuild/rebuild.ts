import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { stackLabel } from "../../../settings/names.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { stackLabels, stackNames } from "../../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../../settings/types.ts";
import { withClient, type Say, type Server } from "../../database/connection.ts";
import { rowOf, rowsOf } from "../../database/query.ts";
import { docker } from "../../docker/run.ts";
import { refuseIfInVain } from "../../docker/in-vain.ts";
import { pgbackrest, runArchive, serverConfig } from "../../archive/pgbackrest.ts";
import { checkImage, checkPossible, orConfigured, parametersOf } from "../checks.ts";
import { observeVolume } from "../finished.ts";
import { removeInstance, saysDiskFull, startInstance, type Instance } from "../instance.ts";
import { writeMark } from "../mark.ts";
import { promote } from "../promote.ts";
import { archivedSegments, archiveInfo, oldFolder, readHistory, withReader } from "../reader.ts";
import { refuseRecovery } from "../refusals.ts";
import { recordTimeline } from "../reopen.ts";
import { addSettings } from "../restore.ts";
import { segmentStart } from "../segments.ts";
import { emptyVolume, makeVolume, restoreBesideMark } from "../volume.ts";
import { parseLsn } from "../wal.ts";
import { lastTimeline, orToGap, planRebuild, readDeadVolume, type RebuildPlan } from "./source.ts";

export interface RebuildRequest {
  readonly settings: Settings;
  readonly cluster: OwnCluster;
  /** Volume of the server that does not start any more; only read. */
  readonly from: string;
  /** New volume, or one that a killed rebuild has begun. */
  readonly into: string;
  /** Ends where WAL is missing or damaged, in place of being refused. */
  readonly toGap: boolean;
  readonly say: Say;
}

export interface Rebuilt {
  readonly backup: string;
  /** End of what was replayed. */
  readonly lsn: string;
  /** UTC, to the microsecond; undefined: no transaction has ended since the base backup. */
  readonly lastCommit: string | undefined;
  readonly timeline: number;
}

/**
 * Puts a server that does not start any more together again on a new volume: the newest base backup, all WAL in the archive, and
 * what only the old volume still has of it, up to the last transaction, on a timeline of its own. The old volume is only read.
 * Killed anywhere, it is begun anew by the next call. Refuses `BEFORE_BACKUP_END`, `WAL_GAP`, `WRONG_CLUSTER`, `MAJOR_MISMATCH`,
 * `NO_SPACE`, `PARAMS_TOO_LOW`, `VOLUME_NOT_EMPTY`.
 */
export async function rebuild(request: RebuildRequest): Promise<Rebuilt> {
  const { settings, cluster, from, into, say } = request;
  const { plan, parameters } = await lookInto(request);
  const { backup, timeline: left } = plan;
  await makeVolume(settings, into);
  const common = { settings, cluster, volume: into, from, purpose: "rebuilding" } as const;
  let { container: now } = await startInstance({ ...common, repository: "ro", serve: false });
  try {
    await emptyVolume(now, settings, into);
    const mark = { stack: stackLabel(settings), plan: "rebuild" };
    await writeMark(now, { ...mark, state: "begun" });
    say(`restoring ${backup.label} into ${into}`);
    await restoreBesideMark(now, request, {
      ...{ backup, timeline: left, parameters, target: undefined, standIn: undefined },
    });
    await addSettings(now, [["wal_retrieve_retry_interval", "500ms"]]);
    say("replaying the archive, and what only the old volume has");
    const instance = await startInstance({ ...common, repository: "rw", instead: now });
    now = instance.container;
    const { lsn, lastCommit } = await replayedAll(instance, plan);
    say("archiving what is full and was not");
    // What lies behind a gap may be damaged itself.
    const passed = plan.waiting.filter((name) => segmentStart(name) < parseLsn(lsn));
    for (const name of passed) await pushSegment(now, name);
    await withClient(instance.server, "postgres", async (client) => {
      await client.query("alter system reset wal_retrieve_retry_interval");
      await client.query("select pg_promote(true, 600)");
    });
    const timeline = await promote(instance);
    await putOnRecord(instance.server, request, left, timeline);
    await writeMark(now, { ...mark, state: "served", rebuiltFrom: from });
    return { backup: backup.label, lsn, lastCommit, timeline };
  } catch (error) {
    if (isRefusal(error, "NO_SPACE") || !(await saysDiskFull(now))) throw error;
    throw refuseRecovery(
      "NO_SPACE",
      `the disk of ${into} was full before everything was replayed.`,
      "Make room there, then the same again: it is begun anew.",
      error,
    );
  } finally {
    await removeInstance(now);
  }
}

/** As the server itself would have; else no recovery could ever pass over it. An open one is never archived: it could still change. */
async function pushSegment(container: string, name: string): Promise<void> {
  await runArchive(container, pgbackrest(serverConfig, "archive-push", [`${oldFolder}/pg_wal/${name}`]));
}

/** What is there to be put together, or why it cannot be. */
async function lookInto({ settings, cluster, from, into, toGap }: RebuildRequest): Promise<{
  readonly plan: RebuildPlan;
  readonly parameters: ReadonlyMap<string, number>;
}> {
  const request = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets, from },
    ...{ prefix: stackNames(settings).network, labels: stackLabels(settings, "recovery") },
  };
  const { free } = await observeVolume(settings, { ...cluster, volume: into });
  return withReader(request, async (reader) => {
    const volume = await readDeadVolume(reader);
    if (volume.version !== undefined) await checkImage(reader, cluster);
    const info = await archiveInfo(reader);
    const { control } = volume;
    const identified =
      control.size > 0 ? control : new Map([["Database system identifier", info.systemIdentifier ?? ""]]);
    const last = info.backups.at(-1);
    // How large the databases have become cannot be asked any more.
    const source = { databases: 0, walKept: 0, lsn: parseLsn(last?.startLsn ?? "0/0") };
    await checkPossible({ reader, info, control: identified, free, source });
    const archived = await archivedSegments(reader, info.archiveId ?? "");
    const timeline = lastTimeline(volume, archived);
    const history = await readHistory(reader, timeline);
    return {
      plan: planRebuild({ volume, backups: info.backups, archived, timeline, history, toGap }),
      parameters: orConfigured(parametersOf(control), cluster),
    };
  });
}

const replaySchema = z.object({
  lsn: z.string(),
  lastCommit: z.string().nullable(),
  paused: z.boolean(),
  waits: z.boolean(),
});

/** How often in a row the server must have looked for more, and found none. */
const looks = 4;

/** Waits until there is no more to replay; what is paused before, or ends before the newest full segment, is refused. */
async function replayedAll(
  { container, server }: Instance,
  { newest }: RebuildPlan,
): Promise<{ readonly lsn: string; readonly lastCommit: string | undefined }> {
  const state = await withClient(server, "postgres", async (client) => {
    let before = "";
    for (let seen = 0; ;) {
      const now = await rowOf(
        client,
        replaySchema,
        `select pg_last_wal_replay_lsn()::text as lsn, pg_get_wal_replay_pause_state() = 'paused' as paused,
                to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as "lastCommit",
                exists (select from pg_stat_activity
                         where backend_type = 'startup' and wait_event = 'RecoveryRetrieveRetryInterval') as waits`,
      ).catch(async (error: unknown) => {
        await refuseIfInVain(container);
        throw error;
      });
      seen = now.waits && now.lsn === before ? seen + 1 : 0;
      before = now.lsn;
      if (now.paused || seen >= looks) return now;
      await sleep(500);
    }
  });
  if (state.paused) {
    throw refuseRecovery(
      "PARAMS_TOO_LOW",
      `replay stopped at ${state.lsn}, as the server had higher settings there than when its base backup was made: ${await tooLow(container)}.`,
      "Set them so in rollback:cluster.settings, then the same again.",
    );
  }
  if (newest !== undefined && parseLsn(state.lsn) <= segmentStart(newest)) {
    throw refuseRecovery(
      "WAL_GAP",
      `replay ended at ${state.lsn}, before ${newest}: what lies there is damaged.`,
      orToGap,
    );
  }
  return { lsn: state.lsn, lastCommit: state.lastCommit ?? undefined };
}

/** The settings in PostgreSQL's words, as the container is gone when somebody reads this. */
async function tooLow(container: string): Promise<string> {
  const log = await docker(["logs", "--tail", "200", container], { errorsToo: true });
  return (
    log.match(/\w+ = \d+ is a lower setting than on the primary server.*/g) ?? ["its log does not say which"]
  ).join("; ");
}

async function putOnRecord(
  server: Server,
  { settings, into }: RebuildRequest,
  left: number,
  timeline: number,
): Promise<void> {
  const { identifier, names } = await withClient(server, "postgres", async (client) => ({
    ...(await rowOf(
      client,
      z.object({ identifier: z.string() }),
      "select system_identifier::text as identifier from pg_control_system()",
    )),
    names: await rowsOf(
      client,
      z.object({ name: z.string() }),
      "select datname as name from pg_database where datname = any($1)",
      [[...settings.databases.keys()]],
    ),
  }));
  const journal = { stack: stackLabel(settings), systemIdentifier: identifier };
  const databases = names.map(({ name }) => name);
  await recordTimeline(server, { run: randomUUID(), volume: into, databases, journal }, left, timeline);
}
