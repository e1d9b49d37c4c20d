import { literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, fileWith, matching, noMigrations, refuseDuplicates } from "./files.ts";
import { compareTexts, place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";
import { markers, onlyComments, sections } from "./markers.ts";

// https://github.com/amacneil/dbmate/blob/main/pkg/dbmate/db.go
const fileName = /^(\d+)(.*)\.sql$/;

/** dbmate: `2026_name.sql` with `-- migrate:up` and `-- migrate:down`; `schema_migrations(version)` with a row per version. */
export const dbmate: LayoutDefinition = {
  name: "dbmate",
  // dbmate keeps the digits as they are and sorts files by name.
  normalise: (version) => (/^\d+$/.test(version) ? version : undefined),
  compare: compareTexts,
  outOfOrder: true,

  recognise: (folder) => fileWith(folder, markers.dbmate.up) ?? fileWith(folder, markers.dbmate.down),

  async readFiles(folder) {
    const files = matching(folder, fileName).map(({ file, groups: [version = "", name = ""] }) => ({
      version,
      name: name.replace(/^[_-]/, ""),
      file,
    }));
    if (files.length === 0) throw noMigrations(folder.path, "20260102030405_name.sql with -- migrate:up");
    refuseDuplicates(folder.path, files);
    return Promise.all(
      files.map(async ({ version, name, file }): Promise<Migration> => {
        const text = await folder.text(file);
        const cut = sections(text, "dbmate");
        const refuse = (what: string) =>
          badFile(folder.path, file, what, "Write -- migrate:up and, behind it, -- migrate:down.");
        const [first] = cut.sections;
        if (first === undefined) throw refuse("has no line -- migrate:up");
        if (first.direction === "down") throw refuse("has -- migrate:down before -- migrate:up");
        if (!onlyComments(cut.before)) throw refuse("has statements before -- migrate:up");
        const unknown = cut.sections
          .flatMap(({ options }) => options.split(/\s+/))
          .find((option) => /^\w+:/.test(option) && !/^transaction:(true|false)$/.test(option));
        if (unknown !== undefined) throw refuse(`has the option ${unknown}, which is not known here`);
        const ups = cut.sections.filter(({ direction }) => direction === "up");
        const downs = cut.sections.filter(({ direction }) => direction === "down");
        const up = ups.map((section) => section.text).join("\n");
        return {
          version,
          name,
          file,
          up,
          // Several pairs in one file are taken back in the opposite order.
          down:
            downs.length === 0
              ? undefined
              : downs
                  .toReversed()
                  .map((section) => section.text)
                  .join("\n"),
          verify: undefined,
          transactional: !cut.sections.some(({ options }) => /(^|\s)transaction:false(\s|$)/.test(options)),
          checksum: checksum(up),
        };
      }),
    );
  },

  reversalPlace: ({ file }) => ({ file, marker: "-- migrate:down" }),

  defaultTable: { schema: "public", name: "schema_migrations" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["version"],
      without: ["dirty", "success"],
      create: `CREATE TABLE ${table} (version varchar PRIMARY KEY)`,
      read: `SELECT version::text AS version, true AS success FROM ${table}`,
      record: (migrations) =>
        `INSERT INTO ${table} (version) VALUES ${migrations.map(({ version }) => `(${literal(version)})`).join(", ")} ON CONFLICT DO NOTHING`,
      remove: (migrations) =>
        `DELETE FROM ${table} WHERE version IN (${migrations.map(({ version }) => literal(version)).join(", ")})`,
    };
  },
};
