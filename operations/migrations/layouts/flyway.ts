import { crc32 } from "node:zlib";
import { identifier, literal } from "../../database/query.ts";
import { quoteName } from "../sql/names.ts";
import type { Migration } from "../types.ts";
import { badFile, checksum, noMigrations, reversalFiles } from "./files.ts";
import type { FolderView } from "./files.ts";
import { place } from "./layout.ts";
import type { LayoutDefinition } from "./layout.ts";

// https://documentation.red-gate.com/flyway/flyway-concepts/migrations/versioned-migrations
const fileName = /(?:^|\/)([VUR])([^/]*?)__([^/]*)\.(sql|java|class)$/;

/** Flyway: `V1_1__name.sql`, `U1_1__name.sql`, also in subfolders; `flyway_schema_history`. */
export const flyway: LayoutDefinition = {
  name: "flyway",
  normalise: normaliseVersion,
  compare: compareVersions,
  outOfOrder: false,

  recognise: (folder) => folder.files.find((file) => fileName.exec(file)?.[1] === "V"),

  // What a repeatable migration replaces is not known, so it belongs to no version that could be taken back.
  aside: (folder) =>
    folder.files.filter(
      (file) =>
        fileName.exec(file)?.[1] === "R" || /(?:^|\/)(?:before|after)[A-Z]\w*(?:__[^/]*)?\.sql$/.test(file),
    ),

  async readFiles(folder) {
    const found = folder.files.flatMap((file) => {
      const [, kind = "", written = "", name = ""] = fileName.exec(file) ?? [];
      return kind === "" ? [] : [{ kind, written, name, file }];
    });
    const numbered = found.filter(({ kind }) => kind !== "R");
    const versioned = numbered.map(({ kind, written, name, file }) => {
      const version = normaliseVersion(written);
      if (version === undefined)
        throw badFile(folder.path, file, "has no version of digits and dots", "Name it V1.1__name.sql.");
      return { kind, version, name, file };
    });
    const ups = versioned.filter(({ kind }) => kind === "V");
    const downs = versioned.filter(({ kind }) => kind === "U");
    if (ups.length === 0) throw noMigrations(folder.path, "V1__name.sql and U1__name.sql");
    const downOf = reversalFiles(folder.path, ups, downs);
    return Promise.all(
      ups
        .toSorted((a, b) => compareVersions(a.version, b.version))
        .map(({ version, name, file }) => read(folder, version, name, file, downOf.get(version))),
    );
  },

  reversalPlace: ({ file }) => ({ file: file.replace(/(^|\/)V([^/]*)$/, "$1U$2"), marker: undefined }),

  defaultTable: { schema: "public", name: "flyway_schema_history" },
  tracking(name) {
    const table = quoteName(name);
    return {
      ...place(name),
      columns: ["installed_rank", "version", "script", "checksum", "success"],
      create: `CREATE TABLE ${table} (installed_rank integer NOT NULL CONSTRAINT ${identifier(`${name.name}_pk`)} PRIMARY KEY, version varchar(50),
      description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer,
      installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL,
      success boolean NOT NULL); CREATE INDEX ${identifier(`${name.name}_s_idx`)} ON ${table} (success)`,
      // The last row of a version counts: undone ones have UNDO_SQL behind them. A baseline stands for all up to it.
      read: `SELECT version, success, up_to, recorded FROM (SELECT DISTINCT ON (version) version::text AS version, type, success,
      type LIKE '%BASELINE' AS up_to, checksum::text AS recorded FROM ${table} WHERE version IS NOT NULL ORDER BY version, installed_rank DESC) AS last
      WHERE type NOT LIKE 'UNDO%' AND type <> 'DELETE'`,
      record: (migrations) =>
        migrations
          .map(
            ({ version, name, facts, recorded }) =>
              `INSERT INTO ${table} (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
             SELECT coalesce(max(installed_rank), 0) + 1, ${literal(facts?.["written"] ?? version)}, ${literal(name.replaceAll("_", " ").slice(0, 200))},
               'SQL', ${literal(facts?.["script"] ?? "")}, ${recorded ?? "NULL"}, current_user, 0, true FROM ${table}`,
          )
          .join("; "),
      remove: (migrations) => {
        const spellings = migrations.map(({ version }) => literal(version)).join(", ");
        return `DELETE FROM ${table} WHERE regexp_replace(regexp_replace(replace(version, '_', '.'), '(^|\\.)0+(?=\\d)', '\\1', 'g'), '(\\.0)+$', '') IN (${spellings}) AND type NOT LIKE '%BASELINE'`;
      },
    };
  },
};

async function read(
  folder: FolderView,
  version: string,
  name: string,
  file: string,
  down: string | undefined,
): Promise<Migration> {
  const isSql = file.endsWith(".sql");
  const up = isSql ? await folder.text(file) : "";
  const config = folder.files.includes(`${file}.conf`) ? await folder.text(`${file}.conf`) : "";
  const placeholders = [
    ...new Set(/^placeholderReplacement\s*=\s*false\s*$/m.test(config) ? [] : up.match(/\$\{[^}]*\}/g)),
  ];
  const foreign = !isSql
    ? "it is Java"
    : placeholders.length > 0
      ? `it has placeholders that Flyway fills in: ${placeholders.slice(0, 5).join(", ")}`
      : undefined;
  return {
    version,
    name,
    file,
    up,
    down: down === undefined ? undefined : await folder.text(down),
    verify: undefined,
    transactional: !/^\s*executeInTransaction\s*=\s*false\b/m.test(config),
    checksum: checksum(up),
    ...(foreign === undefined ? {} : { foreign }),
    recorded: String(flywayChecksum(up)),
    facts: {
      script: file,
      written: (/V([^/]*?)__/.exec(file)?.[1] ?? version).replaceAll("_", "."),
    },
  };
}

/** CRC-32 over the lines without their ends, as a signed number. */
export function flywayChecksum(text: string): number {
  return crc32(text.split(/\r\n|\n|\r/).join("")) | 0;
}

/** `1_02.0` → `1.2`: underscores are dots, leading zeros and parts of zero at the end do not count. */
function normaliseVersion(version: string): string | undefined {
  if (!/^\d+([._]\d+)*$/.test(version)) return undefined;
  const parts = version.split(/[._]/).map((part) => BigInt(part).toString());
  while (parts.length > 1 && parts.at(-1) === "0") parts.pop();
  return parts.join(".");
}

function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((version) => version.split(".").map(BigInt));
  for (let part = 0; part < Math.max(x?.length ?? 0, y?.length ?? 0); part++) {
    const [left, right] = [x?.[part] ?? 0n, y?.[part] ?? 0n];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
