import path from "node:path";
import { connectorTo } from "../plan/schema.ts";
import { withClient, type Server } from "../database/connection.ts";
import { rowOf } from "../database/query.ts";
import { z } from "zod";
import { choose, findMigrations, layoutsIn, standingBy, type Standing } from "./migrations.ts";

export interface DatabaseQuestion {
  readonly name: string;
  /** Folders to look for migrations in. */
  readonly folders: readonly string[];
  /** Said by the user; absolute. */
  readonly migrations: string | undefined;
}

/** Where a database stands, or why that cannot be told. */
export type FoundDatabase =
  | { readonly name: string; readonly standing: Standing & { readonly version: string } }
  | { readonly name: string; readonly problem: string };

/** Finds a database's migrations and the newest of them that is applied; asks the server, changes nothing. */
export async function readDatabase(
  { name, folders, migrations }: DatabaseQuestion,
  server: Server,
): Promise<FoundDatabase> {
  const found = migrations === undefined ? await findMigrations(folders) : await layoutsIn(migrations);
  const open = connectorTo(server, "rollback init");
  const standings: Standing[] = [];
  for (const folder of found) {
    const standing = await standingBy(name, folder, open);
    if (standing !== undefined) standings.push(standing);
  }
  const chosen = choose(name, standings);
  if (chosen?.version !== undefined) return { name, standing: { ...chosen, version: chosen.version } };
  const say = `--migrations ${name}=FOLDER`;
  if (chosen === undefined) {
    const list = standings.map((each) => `${each.path} (${each.layout})`).join(", ");
    return {
      name,
      problem:
        standings.length === 0
          ? `no migrations of ${name} were found${migrations === undefined ? ` below ${folders.join(", ")}` : ` in ${migrations}`}: say where they are (${say})`
          : `the migrations of ${name} could be ${list}: say which (${say})`,
    };
  }
  if (await isEmpty(name, server)) return { name, standing: { ...chosen, version: "0" } };
  return {
    name,
    problem: `${name} has tables, and nothing in it says which of the migrations in ${path.relative(process.cwd(), chosen.path)} (${chosen.layout}) made them: let the migration tool record them, or name another folder (${say})`,
  };
}

async function isEmpty(name: string, server: Server): Promise<boolean> {
  const { empty } = await withClient(server, name, (client) =>
    rowOf(
      client,
      z.object({ empty: z.boolean() }),
      `select not exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema') as empty`,
    ),
  );
  return empty;
}
