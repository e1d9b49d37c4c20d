import { databaseName, extensionName, filePath, roleName, tableName } from "../identifiers.ts";
import { list, oneOf, optional, orText, strict, text } from "../shapes.ts";
import { layouts } from "../types.ts";
import { percent } from "../units.ts";

const keyTable = strict(
  { table: tableName, tolerance: percent.default(0) },
  "a table, such as food_logs, or { table: sessions, tolerance: 5% }",
).transform(({ table, tolerance }) => ({ table, tolerance: tolerance / 100 }));

const entry = strict({
  migrations: filePath,
  layout: optional(oneOf(layouts)),
  tracking: optional(tableName),
  keyTables: list(orText("table", keyTable), "a list of tables").default([]),
  sessions: optional(
    strict(
      { table: tableName, where: text('an SQL condition, such as "created_at < now()"', /\S/) },
      'a mapping with table and where, such as { table: sessions, where: "true" }',
    ),
  ),
  extensions: list(extensionName, "a list of extensions").default([]),
  writers: list(roleName, "a list of roles").default([]),
});

/** The databases of the stack and where their migrations are. */
export const databases = { key: databaseName, entry, allowed: "a mapping of databases (at least one)" };
