import { literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, fileWith, matching, noMigrations, refuseDuplicates } from "./files.ts";
import { compareTexts, place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";
import { markers, sections, withStatementEnds } from "./markers.ts";

/** sql-migrate: any `name.sql` with `-- +migrate Up` and `-- +migrate Down`; `gorp_migrations(id)` with the files' names. */
export const sqlMigrate: LayoutDefinition = {
  name: "sql-migrate",
  // The tool knows a migration by its whole file name.
  normalise: (version) => (version === "" ? undefined : version.replace(/\.sql$/, "")),
  compare: compareIds,
  outOfOrder: true,

  recognise: (folder) => fileWith(folder, markers["sql-migrate"].up),

  async readFiles(folder) {
    const files = matching(folder, /^(.+)\.sql$/).map(({ file, groups: [version = ""] }) => ({
      version,
      file,
    }));
    if (files.length === 0) throw noMigrations(folder.path, "1_name.sql with -- +migrate Up");
    refuseDuplicates(folder.path, files);
    return Promise.all(
      files
        .toSorted((a, b) => compareIds(a.version, b.version))
        .map(async ({ version, file }): Promise<Migration> => {
          const cut = sections(await folder.text(file), "sql-migrate");
          if (cut.sections.length === 0) {
            throw badFile(
              folder.path,
              file,
              "has no line -- +migrate Up",
              "Write -- +migrate Up before its statements.",
            );
          }
          const of = (direction: "up" | "down") =>
            cut.sections.filter((section) => section.direction === direction);
          const joined = (direction: "up" | "down") =>
            withStatementEnds(
              of(direction)
                .map(({ text }) => text)
                .join("\n"),
            );
          const up = joined("up");
          return {
            version,
            name: version.replace(/^\d+[_-]?/, ""),
            file,
            up,
            down: of("down").length === 0 ? undefined : joined("down"),
            verify: undefined,
            transactional: !cut.sections.some(({ options }) =>
              options.split(/\s+/).includes("notransaction"),
            ),
            checksum: checksum(up),
          };
        }),
    );
  },

  reversalPlace: ({ file }) => ({ file, marker: "-- +migrate Down" }),

  defaultTable: { schema: "public", name: "gorp_migrations" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["id", "applied_at"],
      create: `CREATE TABLE ${table} (id text NOT NULL PRIMARY KEY, applied_at timestamptz)`,
      read: `SELECT id AS version, true AS success FROM ${table}`,
      record: (migrations) =>
        `INSERT INTO ${table} (id, applied_at) VALUES ${migrations.map(({ version }) => `(${literal(`${version}.sql`)}, now())`).join(", ")}`,
      remove: (migrations) =>
        `DELETE FROM ${table} WHERE id IN (${migrations.map(({ version }) => literal(`${version}.sql`)).join(", ")})`,
    };
  },
};

/** Numbers first and by value, then texts. https://github.com/rubenv/sql-migrate/blob/master/migrate.go (Less) */
function compareIds(a: string, b: string): number {
  const [x, y] = [/^\d+/.exec(a)?.[0], /^\d+/.exec(b)?.[0]];
  if (x !== undefined && y !== undefined && BigInt(x) !== BigInt(y)) return BigInt(x) < BigInt(y) ? -1 : 1;
  if ((x === undefined) !== (y === undefined)) return x === undefined ? 1 : -1;
  return compareTexts(a, b);
}
