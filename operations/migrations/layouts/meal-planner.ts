import { join } from "node:path";
import type { Migration } from "../types.ts";
import { literal } from "../../database/query.ts";
import { checksum, listFolder, missingUp, noMigrations, readSqlFile, refuseDuplicates } from "./files.ts";
import { compareNumbers, normaliseNumber } from "./layout.ts";
import type { LayoutReader, TrackedMigration } from "./layout.ts";

const rollbackFolder = "rollback";
const fileName = /^(\d+)[_-](.+)\.sql$/;

/**
 * `NNN_name.sql` with `rollback/NNN_anything.sql` beside it, and `schema_migrations(version, success, installed_on)`
 * with a row per version. A migration without a reversal is allowed; it is refused only when it must be reversed.
 */
export const mealPlanner: LayoutReader = {
  name: "meal-planner",
  normalise: normaliseNumber,
  compare: compareNumbers,
  outOfOrder: false,

  async readFiles(folder) {
    const ups = versionedFiles(await listFolder(folder));
    const downs = versionedFiles(await listFolder(join(folder, rollbackFolder), true));
    if (ups.length === 0) throw noMigrations(folder, "NNN_name.sql and rollback/NNN_name.sql");
    refuseDuplicates(folder, ups);
    refuseDuplicates(join(folder, rollbackFolder), downs);
    const downOf = new Map(downs.map((down) => [down.version, down.file]));
    const versions = new Set(ups.map((up) => up.version));
    for (const { version, file } of downs) {
      if (!versions.has(version)) throw missingUp(folder, join(rollbackFolder, file), version);
    }
    return Promise.all(
      ups
        .toSorted((a, b) => compareNumbers(a.version, b.version))
        .map(async ({ version, name, file }): Promise<Migration> => {
          const down = downOf.get(version);
          const up = await readSqlFile(folder, file);
          return {
            version,
            name,
            file,
            up,
            down: down === undefined ? undefined : await readSqlFile(folder, join(rollbackFolder, down)),
            verify: undefined,
            transactional: true,
            checksum: checksum(up),
          };
        }),
    );
  },

  // The seed's tools wrote the version as an integer; comparing as numeric also suits a text column with `023` in it.
  trackingTable: {
    schema: "public",
    table: "schema_migrations",
    columns: ["version", "success", "installed_on"],
    create: `CREATE TABLE public.schema_migrations (
      version integer PRIMARY KEY,
      success boolean NOT NULL DEFAULT true,
      installed_on timestamptz NOT NULL DEFAULT now())`,
    read: "SELECT version::text AS version, success FROM public.schema_migrations",
    record(migrations) {
      const values = migrations.map(({ version }) => `(${literal(version)}, true, now())`).join(", ");
      return `${removal(migrations)}; INSERT INTO public.schema_migrations (version, success, installed_on) VALUES ${values}`;
    },
    remove: removal,
  },
};

function removal(migrations: readonly TrackedMigration[]): string {
  const list = migrations.map(({ version }) => version).join(", ");
  return `DELETE FROM public.schema_migrations WHERE version::text::numeric IN (${list})`;
}

function versionedFiles(names: readonly string[]): { version: string; name: string; file: string }[] {
  return names.flatMap((file) => {
    const match = fileName.exec(file);
    const version = match?.[1] === undefined ? undefined : normaliseNumber(match[1]);
    return version === undefined ? [] : [{ version, name: match?.[2] ?? "", file }];
  });
}
