import type { Database, Layout } from "../../../settings/types.ts";
import { tableParts } from "../../../settings/identifiers.ts";
import { Refusal } from "../../../settings/refusal.ts";
import type { Migration } from "../types.ts";
import { atlas } from "./atlas.ts";
import { dbmate } from "./dbmate.ts";
import { diesel } from "./diesel.ts";
import { noMigrations, viewFolder } from "./files.ts";
import type { FolderView } from "./files.ts";
import { flyway } from "./flyway.ts";
import { golangMigrate } from "./golang-migrate.ts";
import { goose } from "./goose.ts";
import { graphileMigrate } from "./graphile-migrate.ts";
import type { LayoutDefinition, LayoutReader } from "./layout.ts";
import { mealPlanner } from "./meal-planner.ts";
import { nodePgMigrate } from "./node-pg-migrate.ts";
import { sqitch } from "./sqitch.ts";
import { sqlMigrate } from "./sql-migrate.ts";

const definitions: Readonly<Record<Layout, LayoutDefinition>> = {
  "meal-planner": mealPlanner,
  "golang-migrate": golangMigrate,
  dbmate,
  diesel,
  flyway,
  goose,
  "node-pg-migrate": nodePgMigrate,
  "sql-migrate": sqlMigrate,
  sqitch,
  "graphile-migrate": graphileMigrate,
  atlas,
};

/**
 * The reader of a layout; `table` is its tracking table as SQL writes it, undefined: the tool's default. A name without a
 * schema is in the default's; `scope` tells apart what shares the table, where the layout has that. Throws `MIGRATION_TRACKING` for a layout whose table has no other place.
 */
export function readerOf(layout: Layout, table?: string, scope?: string): LayoutReader {
  const definition = definitions[layout];
  const { defaultTable, fixedTable } = definition;
  if (table === undefined) return { ...definition, trackingTable: definition.tracking(defaultTable, scope) };
  if (fixedTable === true) {
    throw new Refusal({
      code: "MIGRATION_TRACKING",
      found: `the tracking table of the layout ${layout} is ${defaultTable.schema}.${defaultTable.name} and no other, not ${table}.`,
      untouched: "Nothing was changed.",
      next: "Take tracking out of rollback:databases.",
    });
  }
  const { schema = defaultTable.schema, name } = tableParts(table);
  return { ...definition, trackingTable: definition.tracking({ schema, name }, scope) };
}

/**
 * The reader of a database's layout: the configured one, or the one that the content of its folder speaks for.
 * Throws `MIGRATION_LAYOUT` when the folder speaks for more than one, `MIGRATION_NONE` when for none.
 */
export async function layoutReader(database: Database): Promise<LayoutReader> {
  const { layout, tracking } = database;
  if (layout !== undefined && definitions[layout].scope === undefined) return readerOf(layout, tracking);
  const folder = await viewFolder(database.migrations);
  return readerIn(folder, layout ?? theOnlyLayout(folder, database.name), tracking);
}

async function readerIn(
  folder: FolderView,
  layout: Layout,
  table: string | undefined,
): Promise<LayoutReader> {
  return readerOf(layout, table, await definitions[layout].scope?.(folder));
}

/** Everything that a database's folder says. */
export interface MigrationsFolder {
  readonly reader: LayoutReader;
  /** In the order in which they are applied. */
  readonly files: readonly Migration[];
  /** Files that only the layout's tool runs; see `LayoutReader.aside`. */
  readonly aside: readonly string[];
}

/** As `layoutReader` and `readMigrations` together: every file is read once. */
export async function readFolder(database: Database): Promise<MigrationsFolder> {
  const folder = await viewFolder(database.migrations);
  const { name, layout = theOnlyLayout(folder, name) } = database;
  refuseOtherLayout(folder, name, layout);
  const reader = await readerIn(folder, layout, database.tracking);
  return {
    reader,
    files: await reader.readFiles(folder),
    aside: reader.aside?.(folder) ?? [],
  };
}

/**
 * The migrations of a database from its folder, in the order in which they are applied. Throws Refusals `MIGRATION_…`;
 * `MIGRATION_LAYOUT` when the folder is plainly another tool's than the configured one, or could be more than one's.
 */
export async function readMigrations(database: Database): Promise<Migration[]> {
  return [...(await readFolder(database)).files];
}

/** What in a folder speaks for which layout. */
export function recogniseLayouts(folder: FolderView): { layout: Layout; by: string }[] {
  return Object.values(definitions).flatMap((reader) => {
    const by = reader.recognise(folder);
    return by === undefined ? [] : [{ layout: reader.name, by }];
  });
}

function theOnlyLayout(folder: FolderView, name: string): Layout {
  const [first, ...others] = recogniseLayouts(folder);
  if (first === undefined) {
    throw noMigrations(
      folder.path,
      "migrations of one of the known layouts (rollback:databases → layout lists them)",
    );
  }
  if (others.length === 0) return first.layout;
  const what = [first, ...others].map((each) => `${each.by} (${each.layout})`).join(", ");
  throw new Refusal({
    code: "MIGRATION_LAYOUT",
    found: `${folder.path} could have more than one layout; it holds ${what}.`,
    untouched: "Nothing was changed.",
    next: `Set rollback:databases → ${name} → layout to the one that is meant.`,
  });
}

function refuseOtherLayout(folder: FolderView, name: string, layout: Layout): void {
  // Numbered files without any mark may be anybody's; what carries a tool's own mark is that tool's.
  const seen = recogniseLayouts(folder).filter(
    (each) => each.layout !== "meal-planner" || layout === "meal-planner",
  );
  if (seen.length === 0 || seen.some((each) => each.layout === layout)) return;
  const what = seen.map((each) => `${each.by} (${each.layout})`).join(", ");
  throw new Refusal({
    code: "MIGRATION_LAYOUT",
    found: `${folder.path} does not have the layout ${layout} that is configured for ${name}; it holds ${what}.`,
    untouched: "Nothing was changed.",
    next: `Set rollback:databases → ${name} → layout: ${seen[0]?.layout ?? ""}`,
  });
}
