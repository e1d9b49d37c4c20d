import { literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, noMigrations, refuseDuplicates } from "./files.ts";
import type { FolderView } from "./files.ts";
import { compareTexts, place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";

/** diesel: `2026-01-02-030405_name/up.sql` and `down.sql`, `metadata.toml`; a row per version. */
export const diesel: LayoutDefinition = {
  name: "diesel",
  // https://github.com/diesel-rs/diesel/blob/main/diesel_migrations/migrations_internals/src/lib.rs
  normalise(version) {
    const digits = version.replaceAll("-", "");
    return /^\d+$/.test(digits) ? digits : undefined;
  },
  compare: compareTexts,
  outOfOrder: true,

  recognise: (folder) => folder.files.find((file) => /^[\d-]+_?[^/]*\/up\.sql$/.test(file)),

  async readFiles(folder) {
    const folders = [
      ...new Set(folder.files.flatMap((file) => /^([^/]+)\/(?:up|down)\.sql$/.exec(file)?.[1] ?? [])),
    ];
    if (folders.length === 0) throw noMigrations(folder.path, "2026-01-02-030405_name/up.sql and down.sql");
    const found = folders.map((name) => {
      const version = diesel.normalise(name.split("_")[0] ?? "");
      if (version === undefined)
        throw badFile(folder.path, name, "does not begin with a version", "Name it <date>_<name>.");
      return { version, name: name.slice(name.indexOf("_") + 1), file: name };
    });
    refuseDuplicates(folder.path, found);
    return Promise.all(
      found
        .toSorted((a, b) => compareTexts(a.version, b.version))
        .map(async ({ version, name, file }): Promise<Migration> => {
          const [upFile, downFile] = [`${file}/up.sql`, `${file}/down.sql`];
          if (!folder.files.includes(upFile)) {
            throw badFile(
              folder.path,
              file,
              "has a down.sql but no up.sql",
              "Put up.sql back, or remove the folder.",
            );
          }
          const up = await folder.text(upFile);
          return {
            version,
            name,
            file: upFile,
            up,
            down: folder.files.includes(downFile) ? await folder.text(downFile) : undefined,
            verify: undefined,
            transactional: await runsInTransaction(folder, file),
            checksum: checksum(up),
          };
        }),
    );
  },

  reversalPlace: ({ file }) => ({ file: file.replace(/up\.sql$/, "down.sql"), marker: undefined }),

  defaultTable: { schema: "public", name: "__diesel_schema_migrations" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["version", "run_on"],
      create: `CREATE TABLE ${table} (version varchar(50) PRIMARY KEY NOT NULL, run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)`,
      read: `SELECT version::text AS version, true AS success FROM ${table}`,
      record: (migrations) =>
        `INSERT INTO ${table} (version) VALUES ${migrations.map(({ version }) => `(${literal(version)})`).join(", ")}`,
      remove: (migrations) =>
        `DELETE FROM ${table} WHERE version IN (${migrations.map(({ version }) => literal(version)).join(", ")})`,
    };
  },
};

/** `metadata.toml` has one key. Without the file migrations run in a transaction; with it, only when it says so. */
async function runsInTransaction(folder: FolderView, name: string): Promise<boolean> {
  const file = `${name}/metadata.toml`;
  if (!folder.files.includes(file)) return true;
  return /^\s*run_in_transaction\s*=\s*true\b/m.test(await folder.text(file));
}
