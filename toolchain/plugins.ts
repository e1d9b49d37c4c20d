import { existsSync } from "node:fs";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import {
  cacheFolder,
  COLD_ROOM,
  contentOf,
  ensureRoom,
  fingerprint,
  isCode,
  madeOnce,
  withLock,
} from "./cache.ts";
import { choose, type Way } from "./choose.ts";
import { attempt } from "./command.ts";
import { downloadable } from "./download.ts";
import { isOurs, toolFolder, type Engine } from "./engine.ts";
import { goBuild } from "./go.ts";
import { longStep } from "./log.ts";
import { CHECKOUT } from "./machine.ts";

/** A resource plugin in the release that the program's SDK asks for. */
interface Plugin {
  readonly name: "docker" | "postgresql";
  readonly version: string;
  /** Its executable. */
  readonly file: string;
}

/** What to put where the engine looks for a plugin: links to the files of a folder, or a script of our own. */
type Source = { readonly folder: string } | { readonly script: string };

/** How long "the official plugin cannot be had" is believed before it is tried again, in milliseconds: a day. */
const BELIEVED = 24 * 60 * 60_000;

/**
 * Puts the two resource plugins into a Pulumi home that belongs to this checkout, and returns that home. The user's own
 * home (`PULUMI_HOME`, else `~/.pulumi`) is read and never written.
 */
export async function ensurePlugins(engine: Engine): Promise<string> {
  const home = path.join(cacheFolder(), "homes", fingerprint([CHECKOUT]));
  await mkdir(home, { recursive: true });
  for (const plugin of [await declared("docker"), await declared("postgresql")]) {
    const ours = plugin.name === "docker" ? [builtFromCache(plugin)] : [standInFromCache(plugin)];
    const last = plugin.name === "docker" ? built(plugin) : standIn(plugin);
    const choice = await choose<Source>(
      plugin.name,
      [installed(plugin), ...ours, downloaded(plugin, engine), last],
      () => `plugin ${plugin.version}`,
    );
    if (choice === undefined) throw new Error(`no way leads to the ${plugin.name} plugin`);
    await withLock(path.join(home, `${plugin.name}.lock`), `the home of this checkout`, () =>
      place(path.join(home, "plugins", folderName(plugin)), plugin.file, choice.value),
    );
  }
  return home;
}

/** The plugin and release that an installed SDK declares. */
async function declared(name: Plugin["name"]): Promise<Plugin> {
  const manifest = path.join(CHECKOUT, "node_modules/@pulumi", name, "package.json");
  const { pulumi } = z
    .object({ pulumi: z.object({ version: z.string() }) })
    .parse(JSON.parse(await readFile(manifest, "utf8")));
  return { name, version: pulumi.version, file: `pulumi-resource-${name}` };
}

function folderName(plugin: Plugin): string {
  return `resource-${plugin.name}-v${plugin.version}`;
}

/** The official plugin, where the user or an earlier run of ours has installed it. */
function installed(plugin: Plugin): Way<Source> {
  return {
    name: "official, installed",
    get: () => {
      const own = process.env["PULUMI_HOME"] ?? path.join(homedir(), ".pulumi");
      // A home of ours, set by an outer run, holds what an outer run decided, not what the user installed.
      const homes = [...(isOurs(own) ? [] : [own]), officialHome()];
      const folders = homes.map((home) => path.join(home, "plugins", folderName(plugin)));
      const folder = folders.find((candidate) => existsSync(path.join(candidate, plugin.file)));
      return Promise.resolve(folder === undefined ? { not: "" } : { got: { folder } });
    },
  };
}

/** The official plugin, fetched by the engine itself, where its server answers. */
function downloaded(plugin: Plugin, engine: Engine): Way<Source> {
  return {
    name: "official, downloaded",
    get: async () => {
      const urls = pluginUrls(plugin.name, plugin.version, process.platform, process.arch);
      if ((await downloadable(urls)) === undefined) return { not: "no download answers" };
      await ensureRoom(cacheFolder(), 1024 ** 3, "a Pulumi plugin");
      const outcome = await longStep(plugin.name, `downloading plugin ${plugin.version}`, (note) =>
        attempt(engine.command, ["plugin", "install", "resource", plugin.name, plugin.version], {
          env: { PULUMI_HOME: officialHome(), PULUMI_SKIP_UPDATE_CHECK: "true" },
          note,
        }),
      );
      const folder = path.join(officialHome(), "plugins", folderName(plugin));
      const complete = outcome.ok && existsSync(path.join(folder, plugin.file));
      return complete
        ? { got: { folder } }
        : { not: `the download failed: ${outcome.tail.split("\n").at(-1) ?? ""}` };
    },
  };
}

/** Where the engine gets a plugin from, in its order. */
export function pluginUrls(name: string, version: string, platform: NodeJS.Platform, arch: string): string[] {
  const archive = `pulumi-resource-${name}-v${version}-${platform}-${arch === "x64" ? "amd64" : arch}.tar.gz`;
  return [
    `https://github.com/pulumi/pulumi-${name}/releases/download/v${version}/${archive}`,
    `https://get.pulumi.com/releases/plugins/${archive}`,
  ];
}

function officialHome(): string {
  return path.join(cacheFolder(), "official");
}

const DOCKER_PROVIDER = path.join(CHECKOUT, "toolchain/go/provider-docker");

async function builtFolder(plugin: Plugin): Promise<string> {
  return toolFolder("docker-plugin", [plugin.version, ...(await contentOf(DOCKER_PROVIDER))]);
}

function builtFromCache(plugin: Plugin): Way<Source> {
  return {
    name: "our own build, from the cache",
    get: async () => {
      const folder = await builtFolder(plugin);
      return existsSync(folder) ? { got: { folder } } : { not: "" };
    },
  };
}

function built(plugin: Plugin): Way<Source> {
  return {
    name: "built from Go modules",
    get: async () => {
      const folder = await madeOnce(await builtFolder(plugin), async (temporary) => {
        await ensureRoom(cacheFolder(), COLD_ROOM / 2, "building the docker plugin");
        const title = `building plugin ${plugin.version} from Go modules (about 3 minutes on 2 cores)`;
        const program = { title, folder: DOCKER_PROVIDER, target: ".", tags: "no_compose" };
        await goBuild(
          "docker",
          { ...program, version: `main.version=${plugin.version}` },
          path.join(temporary, plugin.file),
        );
      });
      return { got: { folder } };
    },
  };
}

/** Marks that the official postgresql plugin could not be had; looked at for a day. */
function standInMark(plugin: Plugin): string {
  return path.join(cacheFolder(), "tools", `${folderName(plugin)}-not-to-be-had`);
}

function standInFromCache(plugin: Plugin): Way<Source> {
  return {
    name: "our stand-in (toolchain/postgresql-plugin)",
    get: async () => {
      try {
        const { mtimeMs } = await stat(standInMark(plugin));
        return Date.now() - mtimeMs < BELIEVED ? { got: standInScript() } : { not: "" };
      } catch (error) {
        if (isCode(error, "ENOENT")) return { not: "" };
        throw error;
      }
    },
  };
}

function standIn(plugin: Plugin): Way<Source> {
  return {
    name: "our stand-in (toolchain/postgresql-plugin)",
    get: async () => {
      await mkdir(path.dirname(standInMark(plugin)), { recursive: true });
      await writeFile(standInMark(plugin), "");
      return { got: standInScript() };
    },
  };
}

/** The stand-in is this checkout's own TypeScript, run by this checkout's Node. */
function standInScript(): Source {
  const main = path.join(CHECKOUT, "toolchain/postgresql-plugin/main.ts");
  const cache = path.join(cacheFolder(), "node-compile");
  return {
    script: [
      "#!/bin/sh",
      `NODE_COMPILE_CACHE=\${NODE_COMPILE_CACHE:-${quoted(cache)}}`,
      "export NODE_COMPILE_CACHE",
      `exec ${quoted(process.execPath)} ${quoted(main)} "$@"`,
      "",
    ].join("\n"),
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Makes a plugin's folder in a home hold exactly this source; what is right already is left alone. */
async function place(folder: string, file: string, source: Source): Promise<void> {
  await mkdir(folder, { recursive: true });
  const target = path.join(folder, file);
  if ("script" in source) {
    if ((await linkOf(target)) === undefined && existsSync(target)) {
      if ((await readFile(target, "utf8")) === source.script) return;
    }
    await replaced(target, async (temporary) => {
      await writeFile(temporary, source.script);
      await chmod(temporary, 0o755);
    });
    return;
  }
  for (const name of await readdir(source.folder)) {
    const origin = path.join(source.folder, name);
    if ((await linkOf(path.join(folder, name))) === origin) continue;
    await replaced(path.join(folder, name), (temporary) => symlink(origin, temporary));
  }
}

async function linkOf(file: string): Promise<string | undefined> {
  try {
    return await readlink(file);
  } catch (error) {
    // Not there, or not a link.
    if (isCode(error, "ENOENT", "EINVAL")) return undefined;
    throw error;
  }
}

/** Puts a file in place in one step, so that an engine that starts meanwhile sees the old or the new one. */
async function replaced(target: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${target}-${randomUUID()}`;
  try {
    await make(temporary);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}
