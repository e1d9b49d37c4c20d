import { join } from "node:path/posix";
import { literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { checksum, matching, noMigrations, reversalFiles } from "./files.ts";
import type { FolderView } from "./files.ts";
import { compareNumbers, normaliseNumber, place } from "./layout.ts";
import type { LayoutDefinition, ReversedMigration } from "./layout.ts";
import { anyMarker } from "./markers.ts";
import { psqlText } from "./psql.ts";

const rollbackFolder = "rollback";
const fileName = /^(\d+)[_-](.+)\.sql$/;

/**
 * `NNN_name.sql` with `rollback/NNN_anything.sql` beside it, and `schema_migrations(version, success, installed_on)`
 * with a row per version. A migration without a reversal is allowed; it is refused only when it must be reversed.
 */
export const mealPlanner: LayoutDefinition = {
  name: "meal-planner",
  normalise: normaliseNumber,
  compare: compareNumbers,
  outOfOrder: false,

  recognise(folder) {
    const [first] = matching(folder, fileName);
    if (first === undefined || /\.(up|down)\.sql$/.test(first.file) || folder.files.includes("atlas.sum"))
      return undefined;
    // The same names with markers inside belong to the tools that read the markers.
    return anyMarker(folder) === undefined ? first.file : undefined;
  },

  async readFiles(folder) {
    const ups = versioned(folder);
    const downs = versioned(folder, rollbackFolder);
    if (ups.length === 0) throw noMigrations(folder.path, "NNN_name.sql and rollback/NNN_name.sql");
    const downOf = reversalFiles(folder.path, ups, downs);
    return Promise.all(
      ups
        .toSorted((a, b) => compareNumbers(a.version, b.version))
        .map(async ({ version, name, file }): Promise<Migration> => {
          const down = downOf.get(version);
          const up = await psqlText(folder, file);
          return {
            version,
            name,
            file,
            up,
            down: down === undefined ? undefined : await psqlText(folder, down),
            verify: undefined,
            transactional: true,
            checksum: checksum(up),
          };
        }),
    );
  },

  reversalPlace: ({ file }) => ({ file: join(rollbackFolder, file), marker: undefined }),

  // The seed's tools wrote the version as an integer; comparing as numeric also suits a text column with `023` in it.
  defaultTable: { schema: "public", name: "schema_migrations" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["version", "success", "installed_on"],
      create: `CREATE TABLE ${table} (
      version integer PRIMARY KEY,
      success boolean NOT NULL DEFAULT true,
      installed_on timestamptz NOT NULL DEFAULT now())`,
      read: `SELECT version::text AS version, success FROM ${table}`,
      record(migrations) {
        const values = migrations.map(({ version }) => `(${literal(version)}, true, now())`).join(", ");
        return `${removal(table, migrations)}; INSERT INTO ${table} (version, success, installed_on) VALUES ${values}`;
      },
      remove: (migrations) => removal(table, migrations),
    };
  },
};

function removal(table: string, migrations: readonly ReversedMigration[]): string {
  const list = migrations.map(({ version }) => version).join(", ");
  return `DELETE FROM ${table} WHERE version::text::numeric IN (${list})`;
}

function versioned(
  folder: FolderView,
  subfolder?: string,
): { version: string; name: string; file: string }[] {
  return matching(folder, fileName, subfolder).flatMap(({ file, groups: [digits = "", name = ""] }) => {
    const version = normaliseNumber(digits);
    return version === undefined ? [] : [{ version, name, file }];
  });
}
