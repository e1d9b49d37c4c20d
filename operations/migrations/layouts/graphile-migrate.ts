import { createHash } from "node:crypto";
import { literal } from "../../database/query.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, matching, noMigrations, refuseDuplicates } from "./files.ts";
import type { FolderView } from "./files.ts";
import { compareNumbers, normaliseNumber } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";

const fileName = /^(\d+)(?:-([-_a-zA-Z0-9]*))?\.sql$/;
/** The tool knows no reversals and reads nothing but its own folders: they lie beside these. */
const reversals = "rollback/";
const table = "graphile_migrate.migrations";

/** graphile-migrate: `committed/000001-name.sql` with a header; the tool is forward only, reversals may lie in
 * `rollback/000001-name.sql`. `current.sql` is not committed and not read. */
export const graphileMigrate: LayoutDefinition = {
  name: "graphile-migrate",
  normalise: (version) => normaliseNumber(version.replace(/\.sql$/, "")),
  compare: compareNumbers,
  outOfOrder: false,

  recognise: (folder) => matching(folder, fileName, "committed")[0]?.file,

  async readFiles(folder) {
    const files = matching(folder, fileName, "committed").flatMap(
      ({ file, groups: [digits = "", name = ""] }) => {
        const version = normaliseNumber(digits);
        return version === undefined ? [] : [{ version, digits, name, file }];
      },
    );
    if (files.length === 0) throw noMigrations(folder.path, "committed/000001.sql");
    refuseDuplicates(folder.path, files);
    return Promise.all(
      files
        .toSorted((a, b) => compareNumbers(a.version, b.version))
        .map(({ version, digits, name, file }) => read(folder, version, digits, name, file)),
    );
  },

  reversalPlace: ({ file }) => ({ file: file.replace(/^committed\//, reversals), marker: undefined }),

  defaultTable: { schema: "graphile_migrate", name: "migrations" },
  fixedTable: true,
  tracking: () => ({
    schema: "graphile_migrate",
    table: "migrations",
    ownSchema: true,
    columns: ["hash", "previous_hash", "filename"],
    create: `CREATE SCHEMA IF NOT EXISTS graphile_migrate;
      CREATE TABLE ${table} (hash text PRIMARY KEY, previous_hash text REFERENCES ${table}, filename text NOT NULL, date timestamptz NOT NULL DEFAULT now());
      CREATE TABLE IF NOT EXISTS graphile_migrate.current (filename text PRIMARY KEY DEFAULT 'current.sql', content text NOT NULL, date timestamptz NOT NULL DEFAULT now())`,
    read: `SELECT filename AS version, true AS success, hash AS recorded FROM ${table}`,
    record: (migrations) =>
      migrations
        .map(({ facts, recorded = "" }) => {
          const previous = facts?.["previous"] ?? "-";
          return `INSERT INTO ${table} (hash, previous_hash, filename) VALUES (${literal(recorded)}, ${previous === "-" ? "NULL" : literal(previous)}, ${literal(facts?.["filename"] ?? "")})`;
        })
        .join("; "),
    // Rows refer to the one before: the newest goes first.
    remove: (migrations) =>
      migrations
        .map(({ version }) => `DELETE FROM ${table} WHERE split_part(filename, '.', 1)::numeric = ${version}`)
        .join("; "),
  }),
};

async function read(
  folder: FolderView,
  version: string,
  digits: string,
  name: string,
  file: string,
): Promise<Migration> {
  const text = await folder.text(file);
  const headers = new Map<string, string>();
  const lines = text.split("\n");
  let header = 0;
  for (; header < lines.length; header++) {
    const match = /^--! ([A-Z][a-zA-Z0-9_]*)(?::(.*))?$/.exec(lines[header] ?? "");
    if (match?.[1] === undefined) break;
    headers.set(match[1], (match[2] ?? "").trim());
  }
  const [previous, hash] = [headers.get("Previous"), headers.get("Hash")];
  if (previous === undefined || hash === undefined) {
    throw badFile(
      folder.path,
      file,
      "has no header with Previous and Hash",
      "Commit it with graphile-migrate commit.",
    );
  }
  const up = `${lines.slice(header).join("\n").trim()}\n`;
  if (graphileHash(up, previous) !== hash && !headers.has("AllowInvalidHash")) {
    throw badFile(
      folder.path,
      file,
      "is not what was committed: its hash is another",
      "Put the file back (git checkout), and make the change a new migration.",
    );
  }
  const placeholder = /(?<!:):[A-Z][0-9A-Z_]+\b/.exec(up)?.[0];
  return {
    version,
    name,
    file,
    up,
    down: await reversal(folder, version),
    verify: undefined,
    transactional: !/^--!\s*no-transaction\b/.test(up),
    checksum: checksum(up),
    ...(placeholder === undefined ? {} : { foreign: `graphile-migrate fills in ${placeholder}` }),
    recorded: hash,
    facts: { previous, filename: `${digits}.sql` },
  };
}

async function reversal(folder: FolderView, version: string): Promise<string | undefined> {
  const found = matching(folder, fileName, "rollback").find(
    ({ groups: [digits = ""] }) => normaliseNumber(digits) === version,
  );
  return found === undefined ? undefined : folder.text(found.file);
}

/** The hash that graphile-migrate chains: src/hash.ts. */
function graphileHash(body: string, previous: string): string {
  const text = `${`${previous === "-" ? "" : previous}\n${body.trim()}`.trim()}\n`;
  return `sha1:${createHash("sha1").update(text).digest("hex")}`;
}
