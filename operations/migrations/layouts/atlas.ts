import { createHash } from "node:crypto";
import { identifier, literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { checksum, matching, noMigrations, refuseDuplicates } from "./files.ts";
import type { FolderView } from "./files.ts";
import { compareTexts, place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";

/** The tool's versioned folders are forward only, and it reads no subfolders: reversals lie in one. */
const reversals = "rollback/";
const atlasSchema = "atlas_schema_revisions";
const sumFile = "atlas.sum";

/** Atlas, versioned: `20260102030405_name.sql` with `atlas.sum`; the tool is forward only, reversals may lie in `rollback/`. */
export const atlas: LayoutDefinition = {
  name: "atlas",
  normalise: (version) => (/^[^_\s]+$/.test(version) ? version : undefined),
  compare: compareTexts,
  outOfOrder: false,

  recognise: (folder) => folder.files.find((file) => file === sumFile),

  async readFiles(folder) {
    const files = matching(folder, /^([^_]+?)(?:_(.*))?\.sql$/).map(
      ({ file, groups: [version = "", name = ""] }) => ({
        version,
        name,
        file,
      }),
    );
    if (files.length === 0) throw noMigrations(folder.path, "20260102030405_name.sql and atlas.sum");
    refuseDuplicates(folder.path, files);
    const sums = await fileSums(folder);
    return Promise.all(
      files.map(async ({ version, name, file }): Promise<Migration> => {
        const up = await folder.text(file);
        const directive = (directiveName: string) =>
          new RegExp(`^--\\s*atlas:${directiveName}\\b[ \\t]*(.*)$`, "m").exec(up)?.[1];
        const foreign =
          directive("delimiter") !== undefined
            ? "it has a delimiter of its own"
            : directive("checkpoint") !== undefined
              ? "it is a checkpoint, which stands for the migrations before it"
              : undefined;
        return {
          version,
          name,
          file,
          up,
          down: folder.files.includes(reversals + file) ? await folder.text(reversals + file) : undefined,
          verify: undefined,
          transactional: directive("txmode")?.trim() !== "none",
          checksum: checksum(up),
          ...(foreign === undefined ? {} : { foreign }),
          recorded: sums.get(file) ?? "",
        };
      }),
    );
  },

  reversalPlace: ({ file }) => ({ file: reversals + file, marker: undefined }),

  defaultTable: { schema: atlasSchema, name: "atlas_schema_revisions" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      ownSchema: name.schema === atlasSchema,
      columns: ["version", "description", "applied", "total", "hash"],
      create: `CREATE SCHEMA IF NOT EXISTS ${identifier(name.schema)};
      CREATE TABLE ${table} (version varchar NOT NULL PRIMARY KEY, description varchar NOT NULL, type bigint NOT NULL DEFAULT 2,
        applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, executed_at timestamptz NOT NULL, execution_time bigint NOT NULL,
        error text, error_stmt text, hash varchar NOT NULL, partial_hashes jsonb, operator_version varchar NOT NULL)`,
      // Type bits: 1 baseline, 2 execute, 4 resolved. A baseline stands for all up to it.
      read: `SELECT version::text AS version, coalesce(error, '') = '' AND (applied = total OR type <> 2) AS success, type & 1 = 1 AS up_to, hash AS recorded
      FROM ${table} WHERE version !~ '^\\.'`,
      record: (migrations) =>
        migrations
          .map(
            ({ version, name, recorded = "" }) =>
              `INSERT INTO ${table} (version, description, type, applied, total, executed_at, execution_time, hash, operator_version)
             VALUES (${literal(version)}, ${literal(name)}, 2, 1, 1, now(), 0, ${literal(recorded)}, 'rollback')`,
          )
          .join("; "),
      remove: (migrations) =>
        `DELETE FROM ${table} WHERE version IN (${migrations.map(({ version }) => literal(version)).join(", ")}) AND type & 1 = 0`,
    };
  },
};

/** What atlas.sum has for each file; computed for files it does not list. https://atlasgo.io/concepts/migration-directory-integrity */
async function fileSums(folder: FolderView): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  const hash = createHash("sha256");
  for (const [file, text] of folder.topTexts) {
    hash.update(file).update(text);
    sums.set(file, hash.copy().digest("base64"));
  }
  if (!folder.files.includes(sumFile)) return sums;
  for (const line of (await folder.text(sumFile)).split("\n")) {
    const [, file, sum] = /^(\S+) h1:(\S+)$/.exec(line) ?? [];
    if (file !== undefined && sum !== undefined) sums.set(file, sum);
  }
  return sums;
}
