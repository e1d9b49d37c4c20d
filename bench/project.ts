import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startPulumi, type Ended, type Running } from "../test/support/stack-command.ts";
import { projectFile } from "../test/support/stack-files.ts";
import type { ScratchStack } from "../test/support/stack.ts";

/** A Pulumi project of some program on a local backend of its own. */
export interface Project {
  /** Holds `project/` and `state/`. */
  readonly folder: string;
  /** `pulumi ARGS --stack …`; throws with its output when it fails. */
  readonly pulumi: (args: readonly string[], input?: string) => Promise<Ended>;
  /** `pulumi up` without the preview, which would double what is measured (default), or with it. */
  readonly up: (options?: {
    readonly preview?: boolean;
    readonly args?: readonly string[];
  }) => Promise<Ended>;
  /** Ends what runs and removes the folder; what the stack has made in Docker stays. */
  readonly remove: () => Promise<void>;
}

/** Makes a project named `name` whose program is the file `program`, and its stack. */
export async function createProject(name: string, program: string): Promise<Project> {
  const folder = await mkdtemp(path.join(tmpdir(), "rollback-bench-"));
  const made = projectIn(folder, "bench", { PULUMI_CONFIG_PASSPHRASE: randomBytes(8).toString("hex") });
  try {
    await mkdir(path.join(folder, "project"));
    await mkdir(path.join(folder, "state"));
    await writeFile(path.join(folder, "project/Pulumi.yaml"), projectFile(name, program));
    await made.pulumi(["stack", "init", "--secrets-provider", "passphrase"]);
    return made;
  } catch (error) {
    await made.remove();
    throw error;
  }
}

/**
 * A copy of a stack whose state and names are the same, with another program. It knows the same resources, so a program
 * that registers them all finds nothing to do. `resources.json` in the project's folder holds them, secrets in clear.
 */
export async function copyOf(stack: ScratchStack, program: string): Promise<Project> {
  const folder = await mkdtemp(path.join(tmpdir(), "rollback-bench-"));
  const made = projectIn(folder, stack.stack, stack.env);
  try {
    await cp(stack.folder, folder, { recursive: true });
    const { stdout } = await made.pulumi(["stack", "export", "--show-secrets"]);
    await writeFile(path.join(folder, "project/resources.json"), stdout, { mode: 0o600 });
    await writeFile(path.join(folder, "project/Pulumi.yaml"), projectFile(stack.project, program));
    return made;
  } catch (error) {
    await made.remove();
    throw error;
  }
}

function projectIn(folder: string, stack: string, more: Readonly<Record<string, string>>): Project {
  const env = {
    ...more,
    PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}?metadata=skip`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  const cwd = path.join(folder, "project");
  const under = new Set<Running>();
  const run = async (args: readonly string[], events: boolean, input?: string): Promise<Ended> => {
    const all = [...args, "--stack", stack, "--color", "never", "--non-interactive"];
    const running = await startPulumi(all, { cwd, env, events, ...(input !== undefined && { input }) });
    under.add(running);
    const ended = await running.ended.finally(() => under.delete(running));
    if (ended.exitCode !== 0) throw new Error(`pulumi ${args[0] ?? ""} failed:\n${ended.output}`);
    return ended;
  };
  return {
    folder,
    pulumi: (args, input) => run(args, false, input),
    up: ({ preview = false, args = [] } = {}) =>
      run(["up", "--yes", ...(preview ? [] : ["--skip-preview"]), ...args], true),
    async remove() {
      for (const running of under) {
        running.kill("SIGKILL");
        await running.ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
