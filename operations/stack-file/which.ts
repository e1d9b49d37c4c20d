import { readFile, readlink } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";

/** What a `pulumi` command line says of the stack file; undefined: nothing, so that it is the project's own. */
export function configFileIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === "--config-file" || word.startsWith("--config-file="));
  const word = words[at];
  return word === undefined
    ? undefined
    : word.includes("=")
      ? word.slice(word.indexOf("=") + 1)
      : words[at + 1];
}

/**
 * The stack file that the engine which started this program reads: what its command line names, else the project's own,
 * which \`stackConfigDir\` may have put elsewhere. The engine tells its programs of neither, so its command line is looked at
 * (Linux); where that cannot be seen, it is the project's own.
 */
export async function stackFileOf(root: string, stack: string, program = process.ppid): Promise<string> {
  return (await fileOfEngine(program)) ?? path.join(await configFolder(root), `Pulumi.${stack}.yaml`);
}

async function fileOfEngine(start: number): Promise<string | undefined> {
  // The language host is between the engine and its program, and a shell or npm may be as well.
  for (let pid = start, steps = 0; pid > 1 && steps < 8; steps += 1) {
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (/^pulumi(\.exe)?$/.test(path.basename(words[0] ?? ""))) {
      const given = configFileIn(words);
      // Relative to where the engine went, which --cwd changes.
      return given === undefined ? undefined : path.resolve(await readlink(`/proc/${pid}/cwd`), given);
    }
    pid = await parentOf(pid);
  }
  return undefined;
}

async function parentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0);
}

const projectSchema = z.looseObject({ stackConfigDir: z.string().optional() });

async function configFolder(root: string): Promise<string> {
  const project = projectSchema.parse(parse(await readFile(path.join(root, "Pulumi.yaml"), "utf8")));
  return path.resolve(root, project.stackConfigDir ?? ".");
}
