import { archiveUpToNow } from "../operations/archive/set-up.ts";
import { ownPlace } from "../operations/backup/place.ts";
import { claimRun, sessionName } from "../operations/journal/run-token.ts";
import { beforeFirst } from "../operations/migrations/plan.ts";
import { access } from "../operations/plan/access.ts";
import { lookAgain } from "../operations/recovery/again.ts";
import { carryOver } from "../operations/recovery/carry-over.ts";
import { ensureObjects } from "../operations/recovery/ensure.ts";
import { removeInstance, type Instance } from "../operations/recovery/instance.ts";
import { describeLosses, lostRows } from "../operations/recovery/losses.ts";
import { checkLaterWrites } from "../operations/recovery/move.ts";
import { writeMark } from "../operations/recovery/mark.ts";
import type { Move } from "../operations/recovery/types.ts";
import { pausedAtTarget, prepareRecovery } from "../operations/recovery/prepare.ts";
import { promote } from "../operations/recovery/promote.ts";
import { salvage } from "../operations/recovery/salvage.ts";
import {
  recordReopening,
  reopenedUnrecorded,
  restartOnNewTimeline,
  stillAbandoned,
} from "../operations/recovery/reopen.ts";
import { reopenVolume } from "../operations/recovery/undo.ts";
import { formatLsn } from "../operations/recovery/wal.ts";
import { stackLabel } from "../settings/names.ts";
import type { OwnCluster } from "../settings/types.ts";
import { assertStillOurs } from "./claim.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";

/**
 * Makes the volume that the server is about to be started on ready for it: a recovery that waits beside the old server is ended
 * where it was paused, or a volume that was in use before is opened on a new timeline. The old server still runs, with
 * everybody fenced out; its volume stays as it is.
 */
export const recovery: EffectDefinition = {
  name: "recovery",
  carryOut: async (run) => {
    run.requires("preflight", "backup", "fence");
    const { context, say, status } = run;
    const { move: planned } = context.world;
    const { cluster } = context.settings;
    if (planned === undefined || cluster.kind !== "own") {
      say("the server stays on its volume");
      return;
    }
    await archiveUpToNow(context.names.postgres);
    const move = await behindFence(run, planned);
    // A program whose engine was killed must not open a timeline any more.
    context.alive();
    const instance =
      move.kind === "recovery"
        ? waiting(context.notes.instance)
        : await reopenVolume(context.settings, cluster, move.plan);
    context.notes.instance = instance;
    // Told to go on before it has paused, it would pause all the same, and stay there.
    if (move.kind === "recovery") await pausedAtTarget(instance, move.plan);
    await keepLater(run, cluster, move, instance);
    status("opening a new timeline");
    context.alive();
    const timeline = await promote(instance);
    status(`timeline ${timeline}: roles, passwords, and what was recorded since`);
    await writeDown(context, cluster, move, instance, timeline);
    status("handing the volume over");
    await removeInstance(instance.container);
    delete context.notes.instance;
    say(`${move.plan.volume} is ready on timeline ${timeline}; ${move.plan.from} stays as it is`);
  },
};

/** The plan with what was written since it was made; refuses what nobody has decided about. */
async function behindFence({ context, say }: EffectRun, planned: Move): Promise<Move> {
  const { settings, names, world } = context;
  const left = await lookAgain(settings, names.postgres, world.schema, planned);
  const more = lostRows(left.losses) - lostRows(planned.plan.losses);
  const move: Move =
    planned.kind === "recovery"
      ? { kind: "recovery", plan: { ...planned.plan, ...left } }
      : { kind: "undo", plan: { ...planned.plan, ...left } };
  checkLaterWrites(settings, move);
  if (more > 0)
    say(`${more} more rows were written while this was prepared: ${describeLosses(left.losses).join("; ")}`);
  return move;
}

/** Restores and replays while everybody still works: what can go wrong goes wrong before anything stops. */
export async function beginMove({ context, say, status }: EffectRun): Promise<void> {
  const { move } = context.world;
  const { settings, notes } = context;
  if (move?.kind !== "recovery" || settings.cluster.kind !== "own") return;
  await archiveUpToNow(context.names.postgres);
  status("restoring beside the server that serves");
  notes.instance = await prepareRecovery({ settings, cluster: settings.cluster, plan: move.plan, say });
}

/** The server that this very run has recovered; the runbook has no way here without it. */
function waiting(instance: Instance | undefined): Instance {
  if (instance === undefined) throw new Error("the recovery was not prepared in this run");
  return instance;
}

/**
 * Opens a new timeline on the volume in use, where a killed run has left the archive with one that leads away from it, and
 * finishes what a killed run began of that.
 */
export async function reopenServing(
  { context, say, status }: EffectRun,
  { volume }: OwnCluster,
): Promise<void> {
  const { settings, names, world, notes, revision } = context;
  if (!world.server.answers || world.move !== undefined || notes.archiveFails) return;
  const serving = { server: access(settings), container: names.postgres, status };
  if (world.abandoned !== undefined) {
    await archiveUpToNow(names.postgres);
    const found = await stillAbandoned(serving);
    context.alive();
    await assertStillOurs(context);
    status(`opening a new timeline on ${volume}`);
    if (found !== undefined) await restartOnNewTimeline(serving, found);
  }
  if (!(await reopenedUnrecorded(serving))) return;
  status(`the new timeline on ${volume} is open`);
  const { systemIdentifier } = world.server.observation;
  const timeline = await recordReopening(serving, {
    ...{ run: revision, volume, databases: existing(context) },
    journal: { stack: stackLabel(settings), systemIdentifier },
  });
  say(`${volume} goes on, on timeline ${timeline}, which a restore from the archive follows`);
}

/** Later writes as the configuration says: kept beside the dumps, or dropped. */
async function keepLater(
  { context, say }: EffectRun,
  cluster: OwnCluster,
  move: Move,
  instance: Instance,
): Promise<void> {
  const { settings, names, revision } = context;
  const { losses, lost } = move.plan;
  if (lostRows(losses) === 0 || settings.recovery?.laterWrites !== "keep") return;
  const place = ownPlace(names.postgres, cluster.backup.repository);
  const { rows, lines } = await salvage({
    ...{ place, server: access(settings), target: instance.server, losses, lost, name: revision },
    databases: [...settings.databases.values()],
    changes: cluster.backup.changes !== undefined,
  });
  say(`kept ${rows} rows that were written later in salvage/${revision}, as JSONL and SQL`);
  for (const line of lines) say(line);
}

function existing({ settings, world }: Pick<RunContext, "settings" | "world">): string[] {
  return [...settings.databases.keys()].filter((name) => world.schema.get(name)?.exists === true);
}

async function writeDown(
  { settings, desired, names, world, revision }: RunContext,
  cluster: OwnCluster,
  move: Move,
  { container, server }: Instance,
  timeline: number,
): Promise<void> {
  const mark = { stack: stackLabel(settings), plan: move.kind === "recovery" ? move.plan.id : "undo" };
  // A volume that is gone back to holds what users wrote: at no instant may it look like one to begin anew.
  if (move.kind === "recovery") await writeMark(container, { ...mark, state: "promoted" });
  await ensureObjects(server, settings, desired.roles);
  const databases = existing({ settings, world });
  for (const database of databases) {
    await claimRun(
      server,
      database,
      { stack: stackLabel(settings), run: revision },
      {
        applicationName: sessionName(revision),
      },
    );
  }
  await carryOver({
    from: { container: names.postgres, server: access(settings) },
    to: { container, server },
    databases,
    run: revision,
    recovered: {
      ...{ kind: move.kind, from: move.plan.from, volume: cluster.volume, timeline },
      at: formatLsn(move.kind === "recovery" ? move.plan.target.lsn : move.plan.fork),
      left: Object.fromEntries([...move.plan.left].map(([name, version]) => [name, version ?? beforeFirst])),
      transactionsLeft: move.plan.lost.length,
      rowsLeft: lostRows(move.plan.losses),
      ...(move.kind === "recovery" && move.plan.gap !== undefined ? { uncountedBehind: move.plan.gap } : {}),
    },
  });
  await writeMark(container, { ...mark, state: "served" });
}
