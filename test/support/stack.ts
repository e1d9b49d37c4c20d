import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { stackConfiguration, type StackOptions } from "../../examples/meal-planner/stack.ts";
import { withClient, type Server } from "../../operations/database/connection.ts";
import { stackLabel } from "../../settings/names.ts";
import { rolePassword, secretsFrom } from "../../settings/secrets.ts";
import { stackNames, type StackNames } from "../../settings/stack-names.ts";
import { freePorts, isFree } from "./free-ports.ts";
import { descendants, processes, type Process } from "./processes.ts";
import { startPulumi, type CommandOptions, type Ended, type Running } from "./stack-command.ts";
import { containersOf, removeStack, type InspectedContainer } from "./stack-docker.ts";
import type { EngineEvent } from "./stack-events.ts";
import { projectFile, stackFile } from "./stack-files.ts";

const checkout = path.join(import.meta.dirname, "../..");

export interface ScratchOptions {
  /** Beginning of the project's name (default `rbt`); a random end makes it, and with it all Docker names, unique. */
  readonly project?: string;
  readonly stack?: string;
  /** Makes the folder a git repository of its own, so that `commit` and `revert` work (default false). */
  readonly git?: boolean;
  /** Host ports wanted; those that are not free, or not named, are chosen. */
  readonly ports?: { readonly planner: number; readonly mealie: number; readonly postgres: number };
}

export interface RunOptions {
  readonly args?: readonly string[];
  /** With the preview that a person gets (default false: it costs two seconds). */
  readonly preview?: boolean;
  /** Whether the command must fail; its output is then returned instead of thrown (default false). */
  readonly expectFailure?: boolean;
  /** Kills the engine with SIGKILL at the first event that matches; implies `expectFailure`. */
  readonly killAt?: (event: EngineEvent) => boolean;
  readonly onEvent?: (event: EngineEvent) => void;
  readonly onOutput?: (text: string) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** A stack of the Meal Planner on a local backend of its own, driven through the real command line. */
export interface ScratchStack {
  /** Holds `project/` (Pulumi.yaml, the stack file) and `state/`. */
  readonly folder: string;
  readonly project: string;
  readonly stack: string;
  /** `project/stack`, the value of the label `rollback.stack`. */
  readonly label: string;
  readonly names: StackNames;
  readonly volumes: { readonly data: string; readonly dumps: string };
  readonly ports: { readonly planner: number; readonly mealie: number; readonly postgres: number };
  /** Base URL of the planner's public listener. */
  readonly url: string;
  /** PostgreSQL as its administrator. */
  readonly server: Server;
  /** Plaintext of the stack's secrets and of passwords made from them, to look for where they must not be. */
  readonly secrets: readonly string[];
  /** Password of a role in PostgreSQL. */
  passwordOf(role: string): string;
  /** What a shell needs for this stack, besides the toolchain's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Path of the stack file. */
  readonly file: string;
  /** Writes the stack file anew; encrypted secrets stay. Ports, volumes and migrations are the scratch stack's. */
  configure(options: StackOptions, change?: (config: Config) => Config): Promise<void>;
  up(options?: RunOptions): Promise<Ended>;
  preview(options?: RunOptions): Promise<Ended>;
  refresh(options?: RunOptions): Promise<Ended>;
  destroy(options?: RunOptions): Promise<Ended>;
  cancel(): Promise<Ended>;
  /** Starts `pulumi up` and returns while it runs. */
  startUp(options?: RunOptions): Promise<Running>;
  /** Ends a command's engine with SIGKILL; what it started is ended by `cleanup`, if not by itself. */
  kill(running: Running): Promise<void>;
  /** Any other command of the engine; rejects when it fails, unless told to expect that. */
  pulumi(args: readonly string[], options?: RunOptions & { readonly input?: string }): Promise<Ended>;
  outputs(): Promise<Record<string, unknown>>;
  /** `pulumi stack export`. */
  exported(): Promise<string>;
  containers(): Promise<InspectedContainer[]>;
  /** Rows of a query as administrator. */
  query(database: string, sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Writes a file, absolute or in the project's folder. */
  write(name: string, text: string): Promise<void>;
  /** git in the project's folder. */
  git(...args: readonly string[]): Promise<string>;
  /** Removes everything that belongs to the stack, whatever state it is in. Safe to repeat. */
  cleanup(): Promise<void>;
}

export type Config = Record<string, unknown>;

/** Makes the folder, the stack and its secrets; nothing runs yet. The toolchain must be in this process's environment. */
export async function createStack(options: ScratchOptions = {}): Promise<ScratchStack> {
  const folder = await mkdtemp(path.join(tmpdir(), "rollback-stack-"));
  const project = `${options.project ?? "rbt"}-${randomBytes(3).toString("hex")}`;
  const stack = options.stack ?? "test";
  const cwd = path.join(folder, "project");
  const file = path.join(cwd, `Pulumi.${stack}.yaml`);
  await mkdir(cwd);
  await mkdir(path.join(folder, "state"));
  await writeFile(path.join(cwd, "Pulumi.yaml"), projectFile(project, path.join(checkout, "index.ts")));

  const plain = { db: randomBytes(24).toString("hex"), apiKey: randomBytes(24).toString("hex") };
  const secrets = secretsFrom(new Map(Object.entries(plain)));
  const password = rolePassword(secrets, "postgres");
  const ports = await choosePorts(options.ports);
  const volumes = { data: `${project}-pgdata`, dumps: `${project}-dumps` };
  const env = {
    PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(8).toString("hex"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  const identity = { project, stack };
  const label = stackLabel(identity);
  const server: Server = {
    host: "127.0.0.1",
    port: ports.postgres,
    user: "postgres",
    password,
    ssl: "disable",
  };

  const command = (more: RunOptions & { readonly input?: string }): CommandOptions => ({
    cwd,
    env: { ...env, ...more.env },
    ...(more.input !== undefined && { input: more.input }),
    ...(more.onEvent !== undefined && { onEvent: more.onEvent }),
    ...(more.onOutput !== undefined && { onOutput: more.onOutput }),
  });
  const running = new Set<Running>();
  const orphans: Process[] = [];
  const start = async (args: readonly string[], more: RunOptions, events: boolean): Promise<Running> => {
    const all = [...args, "--stack", stack, "--color", "never", "--non-interactive", ...(more.args ?? [])];
    const started = await startPulumi(all, { ...command(more), events });
    running.add(started);
    void started.ended.finally(() => running.delete(started)).catch(() => undefined);
    return started;
  };
  const kill = async (victim: Running): Promise<void> => {
    orphans.push(...(await descendants(victim.pid)));
    victim.kill("SIGKILL");
  };
  const finish = async (running: Running, { expectFailure = false, killAt }: RunOptions): Promise<Ended> => {
    if (killAt !== undefined) {
      await running.waitFor(killAt);
      await kill(running);
    }
    const ended = await running.ended;
    const failed = ended.exitCode !== 0;
    if (failed === (expectFailure || killAt !== undefined)) return ended;
    throw new Error(`pulumi ${failed ? "failed" : "did not fail as it should"}:\n${ended.output}`);
  };
  const startUp = (more: RunOptions = {}): Promise<Running> =>
    start(["up", "--yes", ...(more.preview ? [] : ["--skip-preview"])], more, true);
  const pulumi = async (
    args: readonly string[],
    more: RunOptions & { readonly input?: string } = {},
  ): Promise<Ended> => finish(await startPulumi([...args, "--stack", stack], command(more)), more);

  const scratch: ScratchStack = {
    folder,
    project,
    stack,
    label,
    names: stackNames(identity),
    volumes,
    ports,
    url: `http://127.0.0.1:${ports.planner}`,
    server,
    secrets: [...Object.values(plain), password],
    passwordOf: (role) => rolePassword(secrets, role),
    env,
    file,
    startUp,
    pulumi,
    async configure(wanted, change = (config) => config) {
      const migrations = path.join(checkout, "examples/meal-planner/migrations");
      const config = stackConfiguration({ migrations, ports, volumes, ...wanted });
      await writeFile(file, stackFile(change({ ...config }), await readFile(file, "utf8")));
    },
    up: async (more = {}) => finish(await startUp(more), more),
    preview: async (more = {}) => finish(await start(["preview"], more, true), more),
    refresh: async (more = {}) =>
      finish(await start(["refresh", "--yes", "--skip-preview"], more, true), more),
    destroy: async (more = {}) =>
      finish(await start(["destroy", "--yes", "--skip-preview"], more, true), more),
    cancel: () => pulumi(["cancel", "--yes"]),
    async outputs() {
      const { stdout } = await pulumi(["stack", "output", "--json"]);
      return z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
    },
    exported: async () => (await pulumi(["stack", "export"])).stdout,
    containers: () => containersOf(label),
    query: (database, sql, values = []) =>
      withClient(server, database, async (client) => {
        const { rows } = await client.query<Record<string, unknown>>(sql, [...values]);
        return rows;
      }),
    write: (name, text) => writeFile(path.resolve(cwd, name), text),
    git: async (...args) => (await execa("git", args, { cwd })).stdout,
    kill,
    async cleanup() {
      await Promise.all([...running].map(kill));
      await endOrphans(orphans);
      await removeStack(label, Object.values(volumes));
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await pulumi(["stack", "init", "--secrets-provider", "passphrase"]);
    for (const [name, value] of Object.entries(plain)) {
      // Through standard input: arguments can be read by every user of the machine.
      await pulumi(["config", "set", "--secret", "--path", `rollback:secrets.${name}`], { input: value });
    }
    if (options.git) {
      await scratch.git("init", "--quiet", "--initial-branch", "main");
      // In the repository itself: whoever commits or reverts in it later needs an author, too, and a new machine has none.
      await scratch.git("config", "user.name", "Demo");
      await scratch.git("config", "user.email", "demo@example.org");
    }
    return scratch;
  } catch (error) {
    await scratch.cleanup();
    throw error;
  }
}

/** Ends those of these processes that still run, and are what they were. */
async function endOrphans(orphans: readonly Process[]): Promise<void> {
  const now = await processes();
  const left = orphans.filter(({ pid, command }) =>
    now.some((each) => each.pid === pid && each.command === command),
  );
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }
}

async function choosePorts(wanted: ScratchOptions["ports"]): Promise<ScratchStack["ports"]> {
  const [planner = 0, mealie = 0, postgres = 0] = await freePorts(3);
  const chosen = { planner, mealie, postgres };
  if (wanted === undefined) return chosen;
  const free = await Promise.all(Object.values(wanted).map(isFree));
  return free.every(Boolean) ? wanted : chosen;
}
