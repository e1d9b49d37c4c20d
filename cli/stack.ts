import { access } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { execa, ExecaError } from "execa";
import { parse } from "yaml";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { parseSettings } from "../settings/parse.ts";
import { Refusal } from "../settings/refusal.ts";
import type { Settings } from "../settings/types.ts";

/** Which stack a command is about, as given on its command line. */
export interface StackOptions {
  /** Name of the stack; undefined: the selected one. */
  readonly stack?: string | undefined;
  /** Folder of the project, or one below it; undefined: the current one. */
  readonly cwd?: string | undefined;
  /** Another stack file than `Pulumi.<stack>.yaml`. */
  readonly configFile?: string | undefined;
}

/** A stack as its file and its backend tell of it. */
export interface ConfiguredStack {
  readonly settings: Settings;
  /** Absolute path of the stack file. */
  readonly file: string;
  /** Absolute folder of `Pulumi.yaml`. */
  readonly folder: string;
}

/** The options by which every command about a stack is told which one. */
export function aboutStack(command: Command): Command {
  return command
    .option("-s, --stack <name>", "the stack; default: the selected one")
    .option("-C, --cwd <folder>", "the project's folder; default: this one")
    .option("--config-file <file>", "another stack file than Pulumi.<stack>.yaml");
}

/**
 * Reads a stack's configuration through `pulumi`, secrets included, and parses it as the program does. Needs what
 * `pulumi up` needs: the CLI on the PATH, the backend, the passphrase. Throws Refusals `PULUMI_MISSING`, `PROJECT_MISSING`,
 * `STACK_UNREADABLE`, and those of `parseSettings`.
 */
export async function readStack(options: StackOptions): Promise<ConfiguredStack> {
  const folder = await projectFolder(path.resolve(options.cwd ?? "."));
  const stack = options.stack ?? (await pulumi(["stack", "--show-name"], folder)).trim();
  const file = path.resolve(folder, options.configFile ?? `Pulumi.${stack.split("/").at(-1) ?? stack}.yaml`);
  const given = options.configFile === undefined ? [] : ["--config-file", file];
  const json = await pulumi(["config", "--json", "--show-secrets", "--stack", stack, ...given], folder);
  const project = await projectName(folder);
  const own = Object.entries(configuration.parse(JSON.parse(json))).flatMap(([key, entry]) =>
    key.startsWith(namespace) ? [{ key: key.slice(namespace.length), ...entry }] : [],
  );
  const settings = parseSettings({
    project,
    stack: stack.split("/").at(-1) ?? stack,
    values: Object.fromEntries(own.map(({ key, value }) => [key, value])),
    secretKeys: own.flatMap(({ key, secret }) => (secret ? [key] : [])),
    folder,
  });
  return { settings, file, folder };
}

/** Where a stack's file is to be made, for a stack that has no configuration yet. */
export interface StackPlace {
  readonly project: string;
  readonly stack: string;
  /** Absolute path of the stack file, which need not exist. */
  readonly file: string;
  /** Absolute folder of `Pulumi.yaml`. */
  readonly folder: string;
}

/** Finds it as `readStack` does, without reading it. Throws Refusals `PULUMI_MISSING`, `PROJECT_MISSING`, `STACK_UNREADABLE`. */
export async function stackPlace(options: StackOptions): Promise<StackPlace> {
  const folder = await projectFolder(path.resolve(options.cwd ?? "."));
  const stack = options.stack ?? (await pulumi(["stack", "--show-name"], folder)).trim();
  const short = stack.split("/").at(-1) ?? stack;
  return {
    project: await projectName(folder),
    stack: short,
    file: path.resolve(folder, options.configFile ?? `Pulumi.${short}.yaml`),
    folder,
  };
}

/**
 * Lets Pulumi encrypt a secret into the stack file. Its value goes in over standard input: arguments can be read by every user
 * of the machine. Throws the Refusal `STACK_UNREADABLE`, also when there is no such stack.
 */
export async function setSecret(
  { stack, folder, file }: StackPlace,
  name: string,
  value: string,
): Promise<void> {
  const path = `rollback:secrets.${name}`;
  await pulumi(
    ["config", "set", "--secret", "--path", path, "--stack", stack, "--config-file", file],
    folder,
    value,
  );
}

async function projectName(folder: string): Promise<string> {
  const content: unknown = parse(await readFile(projectFile(folder), "utf8"));
  return z.object({ name: z.string() }).parse(content).name;
}

const namespace = "rollback:";
const configuration = z.record(
  z.string(),
  z.object({ value: z.string(), secret: z.boolean().default(false) }),
);

function projectFile(folder: string): string {
  return path.join(folder, "Pulumi.yaml");
}

async function projectFolder(start: string): Promise<string> {
  for (let folder = start; ; folder = path.dirname(folder)) {
    try {
      await access(projectFile(folder));
      return folder;
    } catch (cause) {
      if (folder !== path.dirname(folder)) continue;
      throw new Refusal({
        code: "PROJECT_MISSING",
        found: `neither ${start} nor a folder above it holds a Pulumi.yaml.`,
        untouched: "Nothing was done.",
        next: "Go to the project's folder, or name it:  rollback … --cwd FOLDER",
        cause,
      });
    }
  }
}

/** Standard output of `pulumi`. Never shown with its arguments' values: what it prints here may be secret. */
async function pulumi(args: readonly string[], cwd: string, input?: string): Promise<string> {
  try {
    const { stdout } = await execa("pulumi", [...args, "--non-interactive"], {
      cwd,
      ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    });
    return stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === "ENOENT") {
      throw new Refusal({
        code: "PULUMI_MISSING",
        found: "there is no `pulumi` on the PATH of this shell.",
        untouched: "Nothing was done.",
        next: 'Type:  eval "$(npm run --silent setup -- --env)"',
      });
    }
    throw new Refusal({
      code: "STACK_UNREADABLE",
      found: `\`pulumi ${args[0] ?? ""}\` failed: ${z.string().parse(error.stderr).trim()}`,
      untouched: "Nothing was done.",
      next: "Select a stack (pulumi stack select NAME), and give its backend and PULUMI_CONFIG_PASSPHRASE as for `pulumi up`.",
    });
  }
}
