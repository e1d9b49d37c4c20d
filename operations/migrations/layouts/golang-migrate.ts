import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { checksum, matching, noMigrations, reversalFiles } from "./files.ts";
import { compareNumbers, normaliseNumber, place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";

// https://github.com/golang-migrate/migrate/blob/master/source/parse.go
const fileName = /^(\d+)_(.*)\.(down|up)\.(.*)$/;

// The tool gives any file to its driver; projects that build on its naming keep code there as well.
const isSql = (file: string): boolean => /\.(sql|psql|pgsql)$/i.test(file);

/** golang-migrate: `1_name.up.sql`, `1_name.down.sql`; `schema_migrations(version, dirty)` with one row, the newest version. */
export const golangMigrate: LayoutDefinition = {
  name: "golang-migrate",
  normalise: normaliseNumber,
  compare: compareNumbers,
  outOfOrder: false,

  recognise: (folder) => matching(folder, fileName)[0]?.file,

  async readFiles(folder) {
    const files = matching(folder, fileName).flatMap(
      ({ file, groups: [digits = "", name = "", direction = ""] }) => {
        const version = normaliseNumber(digits);
        return version === undefined ? [] : [{ version, name, file, direction }];
      },
    );
    const ups = files.filter(({ direction }) => direction === "up");
    const downs = files.filter(({ direction }) => direction === "down");
    if (files.length === 0) throw noMigrations(folder.path, "1_name.up.sql and 1_name.down.sql");
    const downOf = reversalFiles(folder.path, ups, downs);
    return Promise.all(
      ups
        .toSorted((a, b) => compareNumbers(a.version, b.version))
        .map(async ({ version, name, file }): Promise<Migration> => {
          const down = downOf.get(version);
          const up = isSql(file) ? await folder.text(file) : "";
          return {
            version,
            name,
            file,
            up,
            down: down === undefined || !isSql(down) ? undefined : await folder.text(down),
            verify: undefined,
            transactional: true,
            checksum: checksum(up),
            ...(isSql(file) ? {} : { foreign: `it is no SQL, but ${file.slice(file.lastIndexOf("."))}` }),
          };
        }),
    );
  },

  reversalPlace: ({ file }) => ({ file: file.replace(/\.up\./, ".down."), marker: undefined }),

  defaultTable: { schema: "public", name: "schema_migrations" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["version", "dirty"],
      create: `CREATE TABLE ${table} (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`,
      // Without any migration the tool has no row, or -1 and dirty after a first migration that failed on its way down.
      read: `SELECT greatest(version, 0)::text AS version, NOT dirty AS success, true AS up_to FROM ${table} WHERE version >= 0 OR dirty`,
      record: (migrations) => newest(table, migrations.at(-1)?.version),
      remove: (_, before) => newest(table, before),
    };
  },
};

function newest(table: string, version: string | undefined): string {
  const insert =
    version === undefined ? "" : `; INSERT INTO ${table} (version, dirty) VALUES (${version}, false)`;
  return `DELETE FROM ${table}${insert}`;
}
