import { Refusal } from "../../settings/refusal.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import type { ObservedContainer } from "../docker/observe.ts";
import type { SchemaChange } from "../plan/change.ts";
import type { ObserveOptions, World } from "../plan/world.ts";
import { observeVolume, type VolumeState } from "./finished.ts";
import { describeLosses, lostRows } from "./losses.ts";
import { planRecovery } from "./plan.ts";
import { refuseRecovery } from "./refusals.ts";
import type { Move } from "./types.ts";
import { planUndo } from "./undo.ts";
import { formatLsn } from "./wal.ts";

/**
 * Whether the configuration names another volume than the one in use, and what follows from it; undefined: it does not, or there is
 * no archive to go by and no recovery was asked for. Refuses what cannot be done, with nothing stopped: above all a volume
 * without data, on which an empty cluster would be made in place of the one that serves.
 */
export async function observeMove(
  settings: Settings,
  containers: readonly ObservedContainer[],
  world: Pick<World, "schema" | "server" | "initialised">,
  { update, say }: ObserveOptions,
): Promise<Move | undefined> {
  const { cluster, recovery } = settings;
  if (cluster.kind !== "own") return undefined;
  const { postgres } = stackNames(settings);
  const inUse = containers.find(({ name }) => name === postgres)?.dataVolume;
  if (!world.server.answers) {
    if (world.initialised) await refuseFromDead(settings, cluster, inUse ?? recovery?.from, { update, say });
    return undefined;
  }
  if (inUse === undefined || inUse === cluster.volume) return undefined;
  const { state, free } = await observeVolume(settings, cluster);
  const asked = recovery !== undefined && recovery.volume === cluster.volume;
  if (asked && recovery.from === inUse && state !== "cluster") {
    if (state === "other") throw volumeNotEmpty(cluster.volume);
    return {
      kind: "recovery",
      plan: await planRecovery(settings, cluster, recovery, { schema: world.schema, free }),
    };
  }
  const goes = state === "cluster" && cluster.backup.schedule !== undefined;
  if (goes) return { kind: "undo", plan: await planUndo(settings, cluster, inUse, world) };
  if (asked) {
    throw refuseRecovery(
      "VOLUME_IN_USE",
      `rollback:recovery.from is ${recovery.from}, but the volume in use is ${inUse}.`,
      `Name the volume in use:  rollback:recovery.from: ${inUse}`,
    );
  }
  if (world.initialised) refuseWithoutData(state, cluster.volume, inUse);
  return undefined;
}

/**
 * A server that cannot be asked cannot be left for another volume: nothing would tell what was written last, and on a new volume an
 * empty cluster would be made. An update has tried to start it before; a preview only looks.
 */
async function refuseFromDead(
  settings: Settings,
  cluster: OwnCluster,
  inUse: string | undefined,
  { update, say }: ObserveOptions,
): Promise<void> {
  if (inUse === undefined || inUse === cluster.volume) return;
  const { state, rebuiltFrom } = await observeVolume(settings, cluster);
  if (state === "cluster" && (rebuiltFrom === inUse || settings.recovery?.laterWrites === "drop")) return;
  const { postgres } = stackNames(settings);
  if (!update) {
    say(
      `${postgres} does not run: \`pulumi up\` starts it on ${inUse} and plans the way to ${cluster.volume} then; it is refused when it does not start`,
    );
    return;
  }
  throw refuseRecovery(
    "SOURCE_DOWN",
    `the server does not start on ${inUse}, which is in use: what was written there last can neither be counted nor kept, and ${cluster.volume} would be served without it.`,
    `docker logs --tail 50 ${postgres}    # mend it, then pulumi up again\n  Beyond mending:  docker stop ${postgres} && npx rollback recover rebuild --into NEW_VOLUME    # archive and WAL of ${inUse}, to the last transaction`,
  );
}

function refuseWithoutData(state: VolumeState, volume: string, inUse: string): void {
  if (state === "cluster") return;
  if (state === "other" || state === "unfinished") throw volumeNotEmpty(volume);
  throw refuseRecovery(
    "VOLUME_GONE",
    `rollback:cluster.volume names ${volume}, which ${state === "absent" ? "does not exist" : "is empty"}; the server runs on ${inUse}. It would be replaced by an empty one.`,
    `Name the volume in use:  rollback:cluster.volume: ${inUse};  to recover into ${volume}, add rollback:recovery.`,
  );
}

function volumeNotEmpty(volume: string): Refusal {
  return refuseRecovery(
    "VOLUME_NOT_EMPTY",
    `${volume} holds something already that is neither a cluster of this stack nor an unfinished recovery into it.`,
    "Name a new volume:  rollback:recovery.volume (and rollback:cluster.volume)",
  );
}

/** The schemas as they are on the volume gone to. */
export function schemaAfter(schema: World["schema"], { plan }: Move): World["schema"] {
  return new Map([...schema].map(([name, state]) => [name, { ...state, version: plan.schema.get(name) }]));
}

/** Refuses a move whose schema the live release does not fit, and one that leaves writes behind without being told so. */
export function checkMove(settings: Settings, move: Move, changes: readonly SchemaChange[]): void {
  const [change] = changes;
  if (change !== undefined) {
    const fits = [...settings.releases.values()].filter(({ schema }) =>
      [...move.plan.schema].every(([database, version]) => schema.get(database) === (version ?? "0")),
    );
    const live = fits.at(-1)?.name ?? "RELEASE";
    const schema = [...move.plan.schema]
      .map(([database, version]) => `${database}: "${version ?? "0"}"`)
      .join(", ");
    throw refuseRecovery(
      "RECOVERY_SCHEMA",
      `on ${move.plan.volume} the schema of ${change.database} is ${change.from}, and the live release wants ${change.to}: the same \`up\` would apply again what is being taken back.`,
      `Change these two lines:\n  rollback:live: { "${live}": 100 }\n  rollback:releases: { "${live}": { schema: { ${schema} }, … } }`,
    );
  }
  checkLaterWrites(settings, move);
}

/** Refuses a move that would leave writes behind which the configuration does not speak of. */
export function checkLaterWrites({ recovery }: Pick<Settings, "recovery">, move: Move): void {
  const rows = lostRows(move.plan.losses);
  if (rows === 0 || recovery?.laterWrites !== undefined) return;
  const lines = describeLosses(move.plan.losses);
  throw new Refusal({
    code: "LATER_WRITES",
    found: `${rows} rows were written to ${move.plan.from} that ${move.plan.volume} would not have: ${lines.slice(0, 6).join("; ")}.`,
    untouched: `Nothing was stopped; ${move.plan.from} serves on.`,
    next:
      move.kind === "recovery"
        ? "Say what becomes of them:  rollback:recovery.laterWrites: keep (as JSONL and SQL beside the dumps) or drop"
        : `Say what becomes of them:  rollback:recovery: { volume: ${move.plan.from}, from: ${move.plan.volume}, target: …, laterWrites: keep }  beside  rollback:cluster.volume: ${move.plan.volume}`,
  });
}

/** Lines for preview and the beginning of `up`. */
export function describeMove(move: Move): string[] {
  const { plan } = move;
  const losses = describeLosses(plan.losses);
  const left =
    losses.length === 0
      ? move.kind === "recovery" && move.plan.gap !== undefined
        ? []
        : ["no row of the application is left behind"]
      : losses.map((line) => `left behind: ${line}`);
  if (move.kind === "undo") {
    return [
      `the server goes back to ${move.plan.volume}, which was left on timeline ${move.plan.timeline} at ${formatLsn(move.plan.fork)}, on a new timeline`,
      ...left,
    ];
  }
  const { target, backup, timeline, walBytes } = move.plan;
  return [
    `recovery into ${plan.volume}: timeline ${timeline}, ${formatLsn(target.lsn)} ${target.inclusive ? "inclusive" : "exclusive"}, from ${backup.label}`,
    target.last === undefined
      ? "no transaction since the base backup is kept"
      : `last transaction kept: ${target.last.xid} of ${target.last.time}+00`,
    `${move.plan.gap === undefined ? "" : "at least "}${plan.lost.length} transactions are left behind`,
    ...left,
    ...(move.plan.gap === undefined
      ? []
      : [
          `WARNING: the WAL behind the target has a gap (${move.plan.gap}): what was written there and later is dropped as asked, but not counted`,
        ]),
    `takes about ${estimate(backup.size, walBytes)} s before anybody waits, most of it for replaying ${Math.ceil(walBytes / 1024 ** 2)} MB of WAL`,
  ];
}

/** Seconds: restore at 300 MB/s and 75 ms for each segment of WAL, as measured on two shared cores. */
function estimate(bytes: number, walBytes: number): number {
  return Math.ceil(3 + bytes / 300e6 + (walBytes / (16 * 1024 ** 2)) * 0.075);
}
