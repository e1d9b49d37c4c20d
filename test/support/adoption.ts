import { readFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { docker } from "../../operations/docker/run.ts";
import { startComposeProject, type ComposeProject } from "./compose-project.ts";
import { freePorts } from "./free-ports.ts";
import { removeStack } from "./stack-docker.ts";
import { createStack, type ScratchStack } from "./stack.ts";

const command = path.join(import.meta.dirname, "../../cli/rollback.mjs");

/** A compose project that serves, with 500 users, and a stack without a configuration that is to take its place. */
export interface Adoption {
  readonly compose: ComposeProject;
  readonly stack: ScratchStack;
  /** `rollback init` for the two. */
  init(...args: readonly string[]): Promise<{ exitCode?: number | undefined; all: string }>;
  /** Takes the bake out, and a port of PostgreSQL that somebody else on this machine may have. */
  adjust(): Promise<void>;
  /** What the public port answers. */
  ask(way: string): Promise<{ status: number; release: string | null }>;
  /** As superuser of the stack's server. */
  psql(sql: string): Promise<string>;
  /** Containers of the compose project that run. */
  running(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function beginAdoption(options: { readonly routes?: boolean } = {}): Promise<Adoption> {
  const [server = 0] = await freePorts(1);
  const compose = await startComposeProject(options);
  const stack = await createStack();
  const remove = async (): Promise<void> => {
    await stack.cleanup();
    const volumes = ["dumps", "web-srv-uploads"].map((kind) => `${stack.names.network}-${kind}`);
    await removeStack(stack.label, volumes);
    await compose.remove();
  };
  try {
    await compose.sql(
      "INSERT INTO users (email, display_name) SELECT 'user' || n || '@example.org', 'User ' || n FROM generate_series(1, 500) n",
    );
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    compose,
    stack,
    init: (...args) =>
      execa(
        process.execPath,
        [
          command,
          "init",
          compose.folder,
          "--stack",
          stack.stack,
          "--cwd",
          path.join(stack.folder, "project"),
          ...args,
        ],
        { all: true, env: stack.env, reject: false },
      ),
    async adjust() {
      const text = await readFile(stack.file, "utf8");
      const own = text.replace(/^( +port: )\d*5432$/m, `$1${server}`);
      await stack.write(stack.file, own.replace(/^config:$/m, "config:\n  rollback:safety: { bake: 0s }"));
    },
    async ask(way) {
      const answer = await fetch(`http://127.0.0.1:${compose.port}${way}`, {
        headers: { connection: "close" },
      });
      await answer.text();
      return { status: answer.status, release: answer.headers.get("x-release") };
    },
    psql: (sql) => docker(["exec", stack.names.postgres, "psql", "-qAt", "-d", "meal_planner", "-c", sql]),
    running: async () => {
      const printed = await docker(["ps", "--filter", `name=^${compose.name}-`, "--format", "{{.Names}}"]);
      return printed.split("\n").filter(Boolean).sort();
    },
    remove,
  };
}
