import { readdir } from "node:fs/promises";
import path from "node:path";
import { isRefusal } from "../../settings/refusal.ts";
import type { Database, Layout } from "../../settings/types.ts";
import type { Connect } from "../migrations/connect.ts";
import { viewFolder } from "../migrations/layouts/files.ts";
import { readMigrations, recogniseLayouts } from "../migrations/layouts/index.ts";
import { currentVersions } from "../migrations/observe.ts";

/** A folder that holds migrations of a layout. */
export interface MigrationsFolder {
  readonly path: string;
  readonly layout: Layout;
}

/** Where a database stands by the files of one folder. */
export interface Standing extends MigrationsFolder {
  /** Newest applied version by the tool's own table; undefined: there is no such table, or nothing in it. */
  readonly version: string | undefined;
  readonly newest: string;
}

const skipped = /^(\..*|node_modules|vendor|target|dist|build|__pycache__|venv)$/;
const speaks = /(\.sql|\.down\.|^sqitch\.plan|^atlas\.sum)$/;
const deepest = 5;

/** Folders below these that hold migrations of a known layout; a folder inside another one's is that one's. */
export async function findMigrations(folders: readonly string[]): Promise<MigrationsFolder[]> {
  const candidates = (
    await Promise.all([...new Set(folders)].map((folder) => foldersWithSql(folder, 0)))
  ).flat();
  const found: MigrationsFolder[] = [];
  for (const candidate of [...new Set(candidates)].sort((a, b) => a.length - b.length)) {
    if (found.some((each) => candidate.startsWith(`${each.path}${path.sep}`))) continue;
    found.push(...(await layoutsIn(candidate)));
  }
  return found;
}

/** The layouts that a folder may have. Throws what reading the folder throws. */
export async function layoutsIn(folder: string): Promise<MigrationsFolder[]> {
  return recogniseLayouts(await viewFolder(folder)).map(({ layout }) => ({ path: folder, layout }));
}

/** Every folder that a layout's files may begin in: one with SQL in it, and that above one, as a migration may be a folder. */
async function foldersWithSql(folder: string, depth: number): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch {
    // A folder that cannot be read is nobody's migrations; one that is named by the user is read again, and says so.
    return [];
  }
  const below =
    depth === deepest
      ? []
      : await Promise.all(
          entries
            .filter((entry) => entry.isDirectory() && !skipped.test(entry.name))
            .map((entry) => foldersWithSql(path.join(folder, entry.name), depth + 1)),
        );
  const own = entries.some((entry) => entry.isFile() && speaks.test(entry.name));
  const inner = below.flat();
  const above = entries.some(
    (entry) => entry.isDirectory() && inner.includes(path.join(folder, entry.name)) && depth > 0,
  );
  return [...(own || above ? [folder] : []), ...inner];
}

/** How a database stands by a folder; undefined: the folder is not this database's, or cannot be read as its layout. */
export async function standingBy(
  name: string,
  folder: MigrationsFolder,
  open: Connect,
): Promise<Standing | undefined> {
  const database: Database = {
    name,
    migrations: folder.path,
    layout: folder.layout,
    tracking: undefined,
    keyTables: [],
    sessions: undefined,
    extensions: [],
    writers: [],
  };
  try {
    const files = await readMigrations(database);
    const newest = files.at(-1)?.version;
    if (newest === undefined) return undefined;
    const version = (await currentVersions(open, [database])).get(name)?.head;
    if (version !== undefined && !files.some((file) => file.version === version)) return undefined;
    return { ...folder, version, newest };
  } catch (error) {
    if (isRefusal(error) && error.code.startsWith("MIGRATION_")) return undefined;
    throw error;
  }
}

/** The folder that speaks for a database: the only one whose migrations its table knows, or the only one there is. Pure. */
export function choose(name: string, standings: readonly Standing[]): Standing | undefined {
  const tracked = standings.filter(({ version }) => version !== undefined);
  const candidates = tracked.length > 0 ? tracked : standings;
  if (candidates.length === 1) return candidates[0];
  const named = candidates.filter(({ path: folder }) => folder.split(path.sep).includes(name));
  return named.length === 1 ? named[0] : undefined;
}
