import type { Database, Layout } from "../../../settings/types.ts";
import type { Migration } from "../types.ts";
import type { LayoutReader } from "./layout.ts";
import { mealPlanner } from "./meal-planner.ts";

const readers: Readonly<Record<Layout, LayoutReader>> = {
  "meal-planner": mealPlanner,
};

/** The reader of a layout. */
export function readerOf(layout: Layout): LayoutReader {
  return readers[layout];
}

/** The migrations of a database from its folder, in the order in which they are applied. Throws Refusals `MIGRATION_…`. */
export async function readMigrations(database: Database): Promise<Migration[]> {
  return readerOf(database.layout).readFiles(database.migrations);
}
