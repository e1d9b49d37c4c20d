import path from "node:path";
import { Refusal } from "../settings/refusal.ts";
import { cacheFolder } from "./cache.ts";
import { ensureDocker } from "./docker.ts";
import { ensureEngine } from "./engine.ts";
import { ensureAllImages } from "./images.ts";
import { say } from "./log.ts";
import { CHECKOUT, ensureNode } from "./machine.ts";
import { ensurePlugins } from "./plugins.ts";

/** Everything the commands of this project stand on, found or made. */
export interface Toolchain {
  /** The cache all of it lies in, outside the checkout. */
  readonly cache: string;
  /** The `pulumi` to run, and its version. */
  readonly pulumi: { readonly command: string; readonly version: string };
  /** Version of the Docker engine. */
  readonly docker: string;
  /**
   * The environment to run `pulumi` and `docker` in: PATH (whole), PULUMI_HOME, DOCKER_HOST or DOCKER_CONTEXT, and so on.
   * To be laid over the caller's own.
   */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds or gets, in this order: a Node that fits, a Docker engine, the Pulumi engine with its host for Node programs and
 * its plugins, and the images. Tells each decision on stderr. Everything is kept in the cache, so a second call takes a
 * second. Throws a Refusal for what the user has to mend.
 */
export async function ensureToolchain(): Promise<Toolchain> {
  const start = Date.now();
  const node = ensureNode();
  say("node", `${process.versions.node} at ${process.execPath}`);
  const docker = await ensureDocker();
  Object.assign(process.env, docker.env);
  const engine = await ensureEngine();
  const home = await ensurePlugins(engine);
  await ensureAllImages();
  say("ready", `in ${((Date.now() - start) / 1000).toFixed(1)} s; cache ${cacheFolder()}`);
  return {
    cache: cacheFolder(),
    pulumi: { command: engine.command, version: engine.version },
    docker: docker.version,
    env: {
      ...docker.env,
      PATH: searchPath(
        [...engine.folders, path.join(CHECKOUT, "node_modules/.bin"), node],
        process.env["PATH"] ?? "",
      ),
      PULUMI_HOME: home,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? path.join(cacheFolder(), "node-compile"),
    },
  };
}

/** `ensureToolchain`, with its environment laid over this process's own, for those that start commands right away. */
export async function useToolchain(): Promise<Toolchain> {
  const toolchain = await ensureToolchain();
  Object.assign(process.env, toolchain.env);
  return toolchain;
}

/** A PATH that begins with these folders, each named once. */
export function searchPath(first: readonly string[], rest: string): string {
  const folders = [...first, ...rest.split(path.delimiter)].filter((folder) => folder !== "");
  return [...new Set(folders)].join(path.delimiter);
}

/** The environment as lines for a POSIX shell to evaluate. */
export function exportLines(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join("");
}

/** Runs a command of this project: shows a Refusal as its text, anything else with its stack, and exits with 1. */
export async function main(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Refusal ? error.message : error);
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  await main(async () => {
    const { env } = await ensureToolchain();
    if (process.argv.includes("--env")) process.stdout.write(exportLines(env));
    else
      say(
        "by hand",
        'eval "$(npm run --silent setup -- --env)"    puts `pulumi` and its plugins into this shell',
      );
  });
}
