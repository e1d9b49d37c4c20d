import { existsSync } from "node:fs";
import { link } from "node:fs/promises";
import path from "node:path";
import { COLD_ROOM, cacheFolder, contentOf, ensureRoom, fingerprint, madeOnce } from "./cache.ts";
import { choose, type Way } from "./choose.ts";
import { attempt, must } from "./command.ts";
import { downloadable, fetchFile } from "./download.ts";
import { goBuild } from "./go.ts";
import { say } from "./log.ts";
import { CHECKOUT, compareVersions, onPath } from "./machine.ts";

/** The engine that is downloaded or built. */
export const ENGINE_VERSION = "3.259.0";
/**
 * The least engine that is taken from the PATH: hooks on Stash, failing hooks and pending changes were verified with
 * this one. Hooks fail a deployment since 3.238 only; between the two nothing was tried.
 */
export const ENGINE_MINIMUM = "3.259.0";

const HOST = "pulumi-language-nodejs";

/** The Pulumi engine to use. */
export interface Engine {
  /** The `pulumi` to run. */
  readonly command: string;
  readonly version: string;
  /** Folders for the PATH: the engine's, and the language host's where that lies elsewhere. */
  readonly folders: readonly string[];
}

/** Finds, downloads or builds the Pulumi engine with its host for Node programs. */
export async function ensureEngine(): Promise<Engine> {
  const choice = await choose<Found>(
    "pulumi",
    [fromPath, fromCache, fromDownload, fromModules],
    (found) => `${found.version} at ${found.command}`,
  );
  if (choice === undefined) throw new Error("no way leads to a Pulumi engine");
  const { command, version } = choice.value;
  return { command, version, folders: [path.dirname(command), ...(await ensureHost(command))] };
}

interface Found {
  readonly command: string;
  readonly version: string;
}

const fromPath: Way<Found> = {
  name: "on the PATH",
  get: async () => {
    // The npm wrapper only leads to a download, and what lies in our cache is a later way.
    const command = await onPath("pulumi", (folder) => /node_modules/.test(folder) || isOurs(folder));
    if (command === undefined) return { not: "" };
    const { ok, stdout } = await attempt(command, ["version"], { timeoutMs: 20_000 });
    const version = stdout.trim().replace(/^v/, "");
    if (!ok) return { not: `${command} does not run` };
    if (compareVersions(version, ENGINE_MINIMUM) < 0) {
      return { not: `${command} is ${version}, older than ${ENGINE_MINIMUM}` };
    }
    return { got: { command, version } };
  },
};

const fromCache: Way<Found> = {
  name: "from the cache",
  get: async () => {
    for (const folder of [downloadedFolder(), await builtFolder()]) {
      const command = path.join(folder, "pulumi");
      if (existsSync(command)) return { got: { command, version: ENGINE_VERSION } };
    }
    return { not: "" };
  },
};

const fromDownload: Way<Found> = {
  name: "downloaded",
  get: async () => {
    const urls = downloadUrls(ENGINE_VERSION, process.platform, process.arch);
    const url = await downloadable(urls);
    if (url === undefined) return { not: "no download answers" };
    await ensureRoom(cacheFolder(), 1024 ** 3, "the Pulumi engine");
    const folder = await madeOnce(downloadedFolder(), async (temporary) => {
      const archive = path.join(temporary, "pulumi.tar.gz");
      await fetchFile("pulumi", `downloading Pulumi ${ENGINE_VERSION}`, url, archive);
      await must("tar", ["-xzf", archive, "-C", temporary, "--strip-components=1"]);
    });
    return { got: { command: path.join(folder, "pulumi"), version: ENGINE_VERSION } };
  },
};

const fromModules: Way<Found> = {
  name: "built from Go modules",
  get: async () => {
    const cli = await madeOnce(await cliFolder(), async (temporary) => {
      await ensureRoom(cacheFolder(), COLD_ROOM, "building the Pulumi engine and its plugins");
      await goBuild("pulumi", CLI, path.join(temporary, "pulumi"));
    });
    const host = await ensureBuiltHost();
    // Side by side, as in the official archive: the engine looks for the host beside itself and then says nothing of it.
    const folder = await madeOnce(await builtFolder(), async (temporary) => {
      await link(path.join(cli, "pulumi"), path.join(temporary, "pulumi"));
      await link(path.join(host, HOST), path.join(temporary, HOST));
    });
    return { got: { command: path.join(folder, "pulumi"), version: ENGINE_VERSION } };
  },
};

/** Our host for Node programs, unless the engine brings its own; the folders to put on the PATH for it. */
async function ensureHost(command: string): Promise<string[]> {
  if (existsSync(path.join(path.dirname(command), HOST))) {
    say(
      "nodejs host",
      `beside the engine${isOurs(command) && command.includes("engine-built") ? ", our own" : ""}`,
    );
    return [];
  }
  const official = await onPath(HOST, isOurs);
  if (official !== undefined) {
    say("nodejs host", `${official}, on the PATH`);
    return [];
  }
  const folder = await ensureBuiltHost();
  say("nodejs host", `${path.join(folder, HOST)}, our own, since there is none beside the engine`);
  return [folder];
}

async function ensureBuiltHost(): Promise<string> {
  return madeOnce(await hostFolder(), (temporary) =>
    goBuild("nodejs host", HOST_PROGRAM, path.join(temporary, HOST)),
  );
}

const CLI = {
  title: `building Pulumi ${ENGINE_VERSION} from Go modules (about 5 minutes on 2 cores)`,
  folder: path.join(CHECKOUT, "toolchain/go/cli"),
  target: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
  version: `github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${ENGINE_VERSION}`,
};

const HOST_PROGRAM = {
  title: "building the host for Node programs",
  folder: path.join(CHECKOUT, "toolchain/go/language-nodejs"),
  target: ".",
  version: `main.version=${ENGINE_VERSION}`,
};

const PLATFORM = `${process.platform}-${process.arch}`;

/** The folder of the cache for a tool that is made of this content. */
export function toolFolder(name: string, parts: readonly (string | Buffer)[]): string {
  return path.join(cacheFolder(), "tools", `${name}-${fingerprint([PLATFORM, ...parts])}`);
}

async function cliFolder(): Promise<string> {
  return toolFolder("cli", [ENGINE_VERSION, ...(await contentOf(CLI.folder))]);
}

async function hostFolder(): Promise<string> {
  return toolFolder("language-nodejs", [ENGINE_VERSION, ...(await contentOf(HOST_PROGRAM.folder))]);
}

async function builtFolder(): Promise<string> {
  return toolFolder(
    "engine-built",
    [await cliFolder(), await hostFolder()].map((folder) => path.basename(folder)),
  );
}

function downloadedFolder(): string {
  return path.join(cacheFolder(), "tools", `engine-official-${ENGINE_VERSION}`);
}

/** Whether a path lies in our cache. */
export function isOurs(file: string): boolean {
  const relative = path.relative(cacheFolder(), file);
  return !relative.startsWith("..") && !path.isAbsolute(relative);
}

/** Where the official installer (https://get.pulumi.com) gets the archive from, in its order. */
export function downloadUrls(version: string, platform: NodeJS.Platform, arch: string): string[] {
  const name = `pulumi-v${version}-${platform}-${arch}.tar.gz`;
  return [
    `https://github.com/pulumi/pulumi/releases/download/v${version}/${name}`,
    `https://get.pulumi.com/releases/sdk/${name}`,
  ];
}
