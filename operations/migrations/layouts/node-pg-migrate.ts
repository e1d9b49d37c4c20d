import { literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { checksum, fileWith, matching, noMigrations, refuseDuplicates } from "./files.ts";
import { compareTexts, place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";
import { markers, sections } from "./markers.ts";

const fileName = /^((\d+).*)\.(sql|[cm]?[jt]s)$/;

/** node-pg-migrate: `1700000000000_name.sql` with `-- Up Migration`, `-- Down Migration`; `pgmigrations(name)`. */
export const nodePgMigrate: LayoutDefinition = {
  name: "node-pg-migrate",
  // The tool knows a migration by its whole file name without the extension.
  normalise: (version) => (/^\d/.test(version) ? version.replace(/\.sql$/, "") : undefined),
  compare: compareNames,
  outOfOrder: false,

  recognise: (folder) =>
    fileWith(folder, markers["node-pg-migrate"].up) ?? fileWith(folder, markers["node-pg-migrate"].down),

  async readFiles(folder) {
    const files = matching(folder, fileName)
      .filter(({ file }) => !file.endsWith(".d.ts"))
      .map(({ file, groups: [version = ""] }) => ({ version, file }));
    if (files.length === 0) throw noMigrations(folder.path, "1700000000000_name.sql with -- Up Migration");
    refuseDuplicates(folder.path, files);
    return Promise.all(
      files
        .toSorted((a, b) => compareNames(a.version, b.version))
        .map(async ({ version, file }): Promise<Migration> => {
          const isSql = file.endsWith(".sql");
          const text = isSql ? await folder.text(file) : "";
          const cut = sections(text, "node-pg-migrate");
          const of = (direction: "up" | "down") =>
            cut.sections.find((section) => section.direction === direction);
          // Without an up marker the whole file is the migration; see the tool's sqlMigration.ts.
          const up = of("up")?.text ?? text;
          return {
            version,
            name: version.replace(/^\d+[_-]?/, ""),
            file,
            up,
            down: of("down")?.text,
            verify: undefined,
            transactional: true,
            checksum: checksum(up),
            ...(isSql ? {} : { foreign: "it is JavaScript" }),
          };
        }),
    );
  },

  reversalPlace: ({ file }) => ({ file, marker: "-- Down Migration" }),

  defaultTable: { schema: "public", name: "pgmigrations" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["id", "name", "run_on"],
      create: `CREATE TABLE ${table} (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)`,
      read: `SELECT name AS version, true AS success FROM ${table} ORDER BY run_on, id`,
      record: (migrations) =>
        `INSERT INTO ${table} (name, run_on) VALUES ${migrations.map(({ version }) => `(${literal(version)}, now())`).join(", ")}`,
      remove: (migrations) =>
        `DELETE FROM ${table} WHERE name IN (${migrations.map(({ version }) => literal(version)).join(", ")})`,
    };
  },
};

function compareNames(a: string, b: string): number {
  const [x, y] = [stamp(a), stamp(b)];
  return x < y ? -1 : x > y ? 1 : compareTexts(a, b);
}

/** The number in front; 17 digits are a date in UTC and stand for its milliseconds. See the tool's fileNameUtils.ts. */
function stamp(name: string): number {
  const digits = /^\d+/.exec(name)?.[0] ?? "";
  if (digits.length !== 17) return Number(digits);
  const part = (from: number, to: number) => Number(digits.slice(from, to));
  return Date.UTC(
    part(0, 4),
    part(4, 6) - 1,
    part(6, 8),
    part(8, 10),
    part(10, 12),
    part(12, 14),
    part(14, 17),
  );
}
