import { readdir, readFile } from "node:fs/promises";

/** A process as /proc shows it. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** The command line, arguments joined by spaces. */
  readonly command: string;
}

/** All processes; those that end while it looks are left out. Linux only. */
export async function processes(): Promise<Process[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const all = await Promise.all(pids.map(look));
  return all.filter((found) => found !== undefined);
}

/** Every process that descends from `pid`, parents before their children. */
export async function descendants(pid: number): Promise<Process[]> {
  const all = await processes();
  const found: Process[] = [];
  const add = (parent: number): void => {
    for (const child of all.filter((each) => each.parent === parent)) {
      found.push(child);
      add(child.pid);
    }
  };
  add(pid);
  return found;
}

/** Clock ticks that a process and the children it has waited for have worked; undefined: it has ended. */
export async function workOf(pid: number): Promise<number | undefined> {
  const stat = await statOf(pid);
  const state = stat?.[0];
  // After the name in parentheses come state, parent and so on; 11 to 14 are utime, stime, cutime, cstime (proc(5)).
  return stat === undefined || state === "Z"
    ? undefined
    : stat.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** The fields of /proc/PID/stat after the name; undefined: there is no such process. */
async function statOf(pid: number): Promise<string[] | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch (error) {
    if (isEnded(error)) return undefined;
    throw error;
  }
}

function isEnded(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}

async function look(pid: number): Promise<Process | undefined> {
  try {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
    const stat = await statOf(pid);
    return stat === undefined
      ? undefined
      : { pid, parent: Number(stat[1]), command: command.replaceAll("\0", " ").trim() };
  } catch (error) {
    if (isEnded(error)) return undefined;
    throw error;
  }
}
