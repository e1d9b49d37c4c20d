import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { readEvent, type EngineEvent } from "./stack-events.ts";

/** How a command of the engine ended. */
export interface Ended {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Standard output and standard error, as they came. */
  readonly output: string;
  /** Standard output alone, for commands that answer in JSON. */
  readonly stdout: string;
  readonly events: readonly EngineEvent[];
  /** Milliseconds. */
  readonly duration: number;
}

/** A command of the engine that is under way. */
export interface Running {
  readonly pid: number;
  /** Resolves with how it ended, whatever that was. */
  readonly ended: Promise<Ended>;
  /** What it told until now. */
  readonly events: readonly EngineEvent[];
  /** Resolves at the first event that matches, also one of the past; rejects when the command ends without one. */
  waitFor(matches: (event: EngineEvent) => boolean): Promise<EngineEvent>;
  kill(signal: NodeJS.Signals): void;
}

export interface CommandOptions {
  readonly cwd: string;
  /** Laid over this process's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Whether the command writes an event log (`up`, `preview`, `refresh`, `destroy`). */
  readonly events?: boolean;
  readonly onEvent?: (event: EngineEvent) => void;
  readonly onOutput?: (text: string) => void;
}

/** Milliseconds between two looks at the event log. */
const look = 10;

/** Starts `pulumi` with these arguments. */
export async function startPulumi(args: readonly string[], options: CommandOptions): Promise<Running> {
  const folder = await mkdtemp(path.join(tmpdir(), "rollback-events-"));
  const log = path.join(folder, "events.json");
  const started = performance.now();
  const child = execa("pulumi", [...args, ...(options.events ? ["--event-log", log] : [])], {
    cwd: options.cwd,
    // The event log is among the engine's commands for its own developers.
    env: { ...options.env, PULUMI_DEBUG_COMMANDS: "true" },
    reject: false,
    all: true,
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
  });
  if (child.pid === undefined) throw new Error("pulumi did not start: is it on the PATH?");
  if (options.onOutput !== undefined)
    child.all.on("data", (data: Buffer) => options.onOutput?.(String(data)));

  const events: EngineEvent[] = [];
  const waiting = new Set<(event: EngineEvent) => void>();
  const take = (event: EngineEvent): void => {
    events.push(event);
    options.onEvent?.(event);
    for (const tell of waiting) tell(event);
  };
  let over = false;
  const following = options.events ? follow(log, () => over, take) : Promise.resolve();
  const ended = (async (): Promise<Ended> => {
    try {
      const { exitCode, signal, all, stdout } = await child;
      over = true;
      await following;
      return { exitCode, signal, output: all, stdout, events, duration: performance.now() - started };
    } finally {
      over = true;
      await rm(folder, { recursive: true, force: true });
    }
  })();
  return {
    pid: child.pid,
    ended,
    events,
    kill: (signal) => void child.kill(signal),
    async waitFor(matches) {
      const past = events.find(matches);
      if (past !== undefined) return past;
      let tell: (event: EngineEvent) => void = () => undefined;
      const coming = new Promise<EngineEvent>((resolve) => {
        tell = (event) => {
          if (matches(event)) resolve(event);
        };
        waiting.add(tell);
      });
      const never = ended.then(({ output }): never => {
        throw new Error(`pulumi ended before what was waited for:\n${output}`);
      });
      return Promise.race([coming, never]).finally(() => waiting.delete(tell));
    },
  };
}

/** Reads a file as it grows, until `over` and nothing is left. `up` writes it twice: the preview's events go first. */
async function follow(file: string, over: () => boolean, take: (event: EngineEvent) => void): Promise<void> {
  let offset = 0;
  let rest = "";
  for (;;) {
    const last = over();
    const text = await readFrom(file, offset);
    if (text === undefined) {
      offset = 0;
      rest = "";
      continue;
    }
    offset += text.length;
    const lines = (rest + text.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      // The offset counts bytes, so the bytes are put together before they are read as text.
      const event = readEvent(Buffer.from(line, "latin1").toString("utf8"));
      if (event !== undefined) take(event);
    }
    if (last) return;
    await sleep(look);
  }
}

/** The bytes from an offset on; undefined when the file has become shorter, that is, was begun anew. */
async function readFrom(file: string, offset: number): Promise<Buffer | undefined> {
  try {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      if (size < offset) return undefined;
      const bytes = Buffer.alloc(size - offset);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
