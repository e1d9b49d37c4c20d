import { tableParts, tableSql } from "../../settings/identifiers.ts";
import { listDumps, verifyDump, type ListedDump } from "../backup/list.ts";
import { dumpsFolder, shellIn, type DumpPlace } from "../backup/place.ts";
import { refuseReset } from "./refusals.ts";
import type { DumpedTable, DumpLoad } from "./types.ts";

/** Which dump of which database; `dump` undefined: the newest whole one. */
export interface DumpQuestion {
  readonly stack: string;
  readonly database: string;
  readonly dump: string | undefined;
  /** The migrations' own table, which is never loaded. */
  readonly tracking: string;
}

/** Finds a dump and reads it in full. Refuses `RESET_SOURCE_MISSING` and `RESET_DUMP_DAMAGED`. */
export async function dumpToLoad(place: DumpPlace, question: DumpQuestion): Promise<DumpLoad> {
  const { database } = question;
  const dump = await findDump(place, question);
  const entry = dump.manifest.databases.find(({ name }) => name === database);
  const version = entry?.schemaVersion ?? undefined;
  if (entry === undefined || version === undefined)
    throw missing(`${dump.name} has no migrated database ${database}.`, []);
  const files = dump.manifest.files.filter(({ path }) => path.startsWith(`${entry.folder}/`));
  const { problems } = await verifyDump(place, {
    name: dump.name,
    manifest: { ...dump.manifest, databases: [entry], files },
  });
  if (!dump.whole || problems.length > 0)
    throw refuseReset(
      "RESET_DUMP_DAMAGED",
      `${dump.name} is damaged: ${problems.slice(0, 3).join("; ") || "a file is missing or has another size"}.`,
      "Name another dump. What is damaged everywhere:  npx rollback backup --verify",
    );
  const tables = await tablesOf(place, dump.name, entry.folder);
  return {
    ...{ name: dump.name, folder: entry.folder, version },
    tables: tables.filter(({ table }) => tableParts(table).name !== question.tracking),
  };
}

async function findDump(place: DumpPlace, { stack, database, dump }: DumpQuestion): Promise<ListedDump> {
  const all = (await listDumps(place, stack)).filter(({ manifest }) =>
    manifest.databases.some(({ name }) => name === database),
  );
  const found = dump === undefined ? all.find(({ whole }) => whole) : all.find(({ name }) => name === dump);
  if (found !== undefined) return found;
  throw missing(
    dump === undefined
      ? `there is no whole dump of ${database}.`
      : `there is no dump ${dump} of ${database}.`,
    all.map(({ name }) => name),
  );
}

function missing(found: string, there: readonly string[]): Error {
  const names = there.length === 0 ? "" : ` There are, newest first: ${there.slice(0, 10).join(", ")}.`;
  return refuseReset(
    "RESET_SOURCE_MISSING",
    `${found}${names}`,
    "Name another dump, or load no rows of a dump:  rollback:reset.load without dump;  npx rollback reset --no-dump",
  );
}

/** Counts the rows of each table while an archive is read as SQL. Data follow a COPY line up to one with a backslash and a full stop. */
const countScript = `pg_restore --data-only --file=- "$1" | LC_ALL=C awk '
  copying && $0 == "\\\\." { print rows, bytes, copying; copying = ""; next }
  copying { rows += 1; bytes += length($0) + 1; next }
  /^COPY .* FROM stdin;$/ { copying = $0; rows = 0; bytes = 0 }'`;

async function tablesOf(place: DumpPlace, dump: string, folder: string): Promise<DumpedTable[]> {
  return parseCounts(await shellIn(place, countScript, [`${dumpsFolder}/${dump}/${folder}`]));
}

const copied = /^(\d+) (\d+) COPY ((?:"(?:[^"]|"")+"|[^\s".(]+)(?:\.(?:"(?:[^"]|"")+"|[^\s".(]+))?)/;

/** What `countScript` printed; the stack's own records are left out. Pure. */
export function parseCounts(printed: string): DumpedTable[] {
  return printed
    .split("\n")
    .flatMap((line) => {
      const [, rows, bytes, table] = copied.exec(line) ?? [];
      return table === undefined
        ? []
        : [{ table: tableSql(table), rows: Number(rows), bytes: Number(bytes) }];
    })
    .filter(({ table }) => !table.startsWith('"rollback".'));
}
