import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { Refusal } from "../../../settings/refusal.ts";
import { dataFolder } from "../../../settings/archive.ts";
import type { RecoveryTarget } from "../../../settings/types.ts";
import type { Say } from "../../database/connection.ts";
import { refuseIfInVain } from "../../docker/in-vain.ts";
import { isRunning } from "../../docker/observe.ts";
import { docker } from "../../docker/run.ts";
import { parametersOf } from "../checks.ts";
import type { CompiledTarget } from "../compile.ts";
import { locateTarget, type Archived } from "../locate.ts";
import { addSettings, restoreBackup } from "../restore.ts";
import type { BaseBackup } from "../../archive/info.ts";
import { formatLsn, parseLsn, type Ending } from "../wal.ts";
import { describeRecoveryTarget } from "./describe.ts";
import {
  lookName,
  makeVolume,
  readLookMark,
  runLook,
  writeLookMark,
  type LookMark,
  type LookPlace,
} from "./place.ts";
import { selectRows } from "./query.ts";

/** Where an instance was brought to. */
export interface Look {
  readonly container: string;
  readonly target: CompiledTarget;
  readonly timeline: number;
  readonly backup: BaseBackup;
  /** How it came there. */
  readonly how: "restored" | "moved on" | "was there";
}

/**
 * Brings the instance of this purpose to a target: from where it stands when that is not earlier, else from the base backup. Whatever
 * a killed call left is gone on with or begun anew. `from` is the volume in use, which is only read.
 */
export async function lookAt(
  place: LookPlace,
  from: string,
  target: RecoveryTarget,
  archive: Archived,
  say: Say,
): Promise<Look> {
  const { backup, compiled: planned, contents } = await locateTarget(place.settings, target, archive);
  const compiled = stopEarly(planned, contents.endings, parseLsn(backup.stopLsn));
  const { timeline } = archive;
  const wanted: LookMark = {
    ...{ timeline, lsn: formatLsn(compiled.lsn), inclusive: compiled.inclusive },
    asked: describeRecoveryTarget(target),
  };
  const common = { container: lookName(place), target: compiled, timeline, backup };
  const mark = await readLookMark(place);
  const move = moveBetween(mark, wanted);
  const restored: Look = { ...common, how: "restored" };
  if (move === "restore") return restoreLook(place, from, archive, restored, wanted, say);
  const paused = (await standsAt(place))?.paused === true;
  if (!paused) await runLook(place, from, false);
  // Somebody may have promoted it: it went another way then.
  if (!(await isRecovering(common.container)))
    return restoreLook(place, from, archive, restored, wanted, say);
  if (move === "move" || !paused) {
    await addSettings(common.container, [
      ["recovery_target_lsn", wanted.lsn],
      ["recovery_target_inclusive", wanted.inclusive ? "on" : "off"],
    ]);
  }
  await writeLookMark(place, wanted);
  if (move === "stay" && paused) return { ...common, how: "was there" };
  if (paused) await docker(["restart", "--time", "60", common.container], { timeoutMs: 120_000 });
  else await runLook(place, from, true);
  return replayed(place, { ...common, how: "moved on" }, say);
}

async function isRecovering(container: string): Promise<boolean> {
  const script = `test -e ${dataFolder}/recovery.signal && echo yes || true`;
  return (await docker(["exec", "-u", "postgres", container, "sh", "-c", script])) === "yes";
}

/**
 * The same state, but right after the last transaction that is in it and not right before the first that is not: a paused server keeps
 * the locks of transactions that are under way, and one that drops or empties a table would keep everybody from reading it. Pure.
 */
export function stopEarly(
  target: CompiledTarget,
  endings: readonly Ending[],
  consistent: bigint,
): CompiledTarget {
  const last = target.inclusive ? undefined : endings.findLast(({ lsn }) => lsn < target.lsn);
  return last === undefined || last.lsn < consistent ? target : { ...target, lsn: last.lsn, inclusive: true };
}

/** What has to be done to come from one place to another; `stay` when it is the same. Pure. */
export function moveBetween(
  mark: Pick<LookMark, "timeline" | "lsn" | "inclusive"> | undefined,
  wanted: Pick<LookMark, "timeline" | "lsn" | "inclusive">,
): "restore" | "move" | "stay" {
  if (mark?.timeline !== wanted.timeline) return "restore";
  const [is, shall] = [positionOf(mark), positionOf(wanted)];
  if (is === shall) return "stay";
  return is < shall ? "move" : "restore";
}

/** Just before a record and just after it are two places. */
function positionOf({ lsn, inclusive }: Pick<LookMark, "lsn" | "inclusive">): bigint {
  return parseLsn(lsn) * 2n + (inclusive ? 1n : 0n);
}

async function restoreLook(
  place: LookPlace,
  from: string,
  { control }: Archived,
  look: Look,
  mark: LookMark,
  say: Say,
): Promise<Look> {
  const { container, backup, target, timeline } = look;
  await makeVolume(place);
  await runLook(place, from, false);
  await docker(["exec", "-u", "postgres", container, "find", dataFolder, "-mindepth", "1", "-delete"], {
    timeoutMs: 600_000,
  });
  say(`restoring ${backup.label} into ${container}`);
  await restoreBackup(container, place.cluster, place.settings.secrets, {
    ...{ backup, target, timeline, parameters: parametersOf(control), standIn: undefined },
  });
  await writeLookMark(place, mark);
  await runLook(place, from, true);
  return replayed(place, look, say);
}

/** Waits until it is there: replay takes as long as it takes, but a server that has ended is not waited for. */
async function replayed(place: LookPlace, look: Look, say: Say): Promise<Look> {
  const { target, container } = look;
  say(`replaying to ${formatLsn(target.lsn)}`);
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    const state = await standsAt(place);
    if (state?.promoted === true || (state?.paused === true && !isAt(state, target)))
      throw missed(state, target);
    if (state?.paused === true) return look;
    await refuseIfInVain(container);
    await sleep(pause);
  }
}

const stateSchema = z.object({
  promoted: z.boolean(),
  paused: z.boolean(),
  replayed: z.string().nullable(),
  lastTime: z.string().nullable(),
});
export type LookState = z.output<typeof stateSchema>;

const stateSelect = `
  select not pg_is_in_recovery() as promoted,
         case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() = 'paused' else false end as paused,
         pg_last_wal_replay_lsn()::text as replayed,
         to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as "lastTime"`;

/** Where the instance's server stands; undefined: it does not answer. */
export async function standsAt(place: LookPlace): Promise<LookState | undefined> {
  const container = lookName(place);
  if (!(await isRunning(container))) return undefined;
  try {
    return (await selectRows(container, "postgres", stateSchema, stateSelect))[0];
  } catch (error) {
    // Still starting, or stopping; whoever waits looks whether it has ended.
    if (error instanceof Refusal && error.code === "LOOK_QUERY") return undefined;
    throw error;
  }
}

/** Tables that nobody can read there, since a transaction that was under way holds them: the database's number and theirs. */
export async function heldTables(container: string, database: string): Promise<string[]> {
  const rows = await selectRows(
    container,
    database,
    z.object({ name: z.string() }),
    `select distinct l.relation::regclass::text as name from pg_locks l join pg_class c on c.oid = l.relation
      where l.mode = 'AccessExclusiveLock' and l.granted and c.relkind in ('r', 'p', 'm')
        and l.database = (select oid from pg_database where datname = current_database())
        and l.pid = (select pid from pg_stat_activity where backend_type = 'startup')`,
  );
  return rows.map(({ name }) => name);
}

/** PostgreSQL does not take up the time of the very record at which it stops inclusively. */
function isAt({ replayed, lastTime }: LookState, target: CompiledTarget): boolean {
  const { lsn, inclusive, lastTime: planned, lost } = target;
  const at = parseLsn(replayed ?? "0/0");
  if (inclusive) return at > lsn && (lost[0] === undefined || at <= lost[0].lsn);
  return at <= lsn && (lastTime === null || planned === undefined || lastTime === planned);
}

function missed({ replayed, lastTime }: LookState, { lsn, lastTime: planned }: CompiledTarget): Refusal {
  return new Refusal({
    code: "RECOVERY_MISSED",
    found: `replay did not stop where it was planned: planned ${formatLsn(lsn)} after ${planned ?? "no commit"}, is at ${replayed ?? "?"} after ${lastTime ?? "no commit"}.`,
    untouched: "The server that serves was not touched.",
    next: "This is a defect of this program or of the archive. Begin anew:  npx rollback recover look --end",
  });
}
