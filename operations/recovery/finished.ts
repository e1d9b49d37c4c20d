import { stackLabel } from "../../settings/names.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../settings/types.ts";
import { volumeExists } from "../docker/observe.ts";
import { freeScript } from "./checks.ts";
import { parseMark, restoringScript } from "./mark.ts";
import { oldFolder, readerShell, withReader } from "./reader.ts";

/**
 * What the volume that the configuration names holds: nothing, a recovery of this stack that was begun and never served from, a whole
 * cluster, or something else.
 */
export type VolumeState = "absent" | "empty" | "unfinished" | "cluster" | "other";

export interface ObservedVolume {
  readonly state: VolumeState;
  /** Bytes; undefined: it is not there. */
  readonly free: number | undefined;
  /** Volume whose server it continues (`rollback recover rebuild`). */
  readonly rebuiltFrom?: string | undefined;
}

/** Looks into a volume, read-only. */
export async function observeVolume(settings: Settings, cluster: OwnCluster): Promise<ObservedVolume> {
  if (!(await volumeExists(cluster.volume))) return { state: "absent", free: undefined };
  const request = {
    ...{ image: cluster.image, backup: cluster.backup, secrets: settings.secrets, from: cluster.volume },
    ...{ prefix: stackNames(settings).network, labels: stackLabels(settings, "recovery") },
  };
  const script = `${freeScript}; ${stateScript}`;
  return withReader(request, async (reader) => {
    const printed = await readerShell(reader, script, [oldFolder]);
    const [free, ...rest] = printed.split("\n");
    const state = stateOf(rest.join("\n"), stackLabel(settings));
    const mark = state === "cluster" ? parseMark(rest.slice(3).join("\n")) : undefined;
    return { state, free: Number(free), rebuiltFrom: mark?.rebuiltFrom };
  });
}

const stateScript = `ls -A "$1" | wc -l; test -e "$1/global/pg_control" && echo whole || echo not; ${restoringScript}; cat "$1/rollback-recovery.json" 2>/dev/null || true`;

/** From the number of entries, whether there is a control file, whether a restore was cut short, and the mark. Pure. */
export function stateOf(printed: string, stack: string): VolumeState {
  const [entries, whole, restoring, ...rest] = printed.split("\n");
  if (Number(entries) === 0) return "empty";
  const mark = parseMark(rest.join("\n"));
  if (mark !== undefined && mark.state !== "served") return mark.stack === stack ? "unfinished" : "other";
  if (mark === undefined && restoring === "restoring") return "unfinished";
  return whole === "whole" ? "cluster" : "other";
}

/**
 * Volume that holds the stack's data while no container tells: the one recovered from, as long as the recovery that the
 * configuration asks for is not finished.
 */
export async function servingVolume(settings: Settings, cluster: OwnCluster): Promise<string> {
  const { recovery } = settings;
  if (recovery?.volume !== cluster.volume || !(await volumeExists(recovery.from))) return cluster.volume;
  const { state } = await observeVolume(settings, cluster);
  return state === "cluster" ? cluster.volume : recovery.from;
}
