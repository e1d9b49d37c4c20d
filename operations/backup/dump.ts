import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { Say, Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { currentTimeline } from "../database/observe.ts";
import { rowOf } from "../database/query.ts";
import { DockerFailure } from "../docker/run.ts";
import { sessionName } from "../journal/run-token.ts";
import { dumpsOf, listScript, pruneDumps } from "./list.ts";
import type { DumpedDatabase, DumpManifest } from "./manifest.ts";
import { countEntries, databaseFolder, dumpName, filesFrom, manifestFile } from "./manifest.ts";
import { dumpsFolder, locate, runIn, shellIn } from "./place.ts";
import type { DumpPlace } from "./place.ts";
import type { DumpDatabase } from "./plan.ts";
import {
  bytesNeeded,
  pgDumpallArguments,
  pgDumpArguments,
  refuseWithoutRoom,
  roomFrom,
  size,
} from "./plan.ts";

export interface DumpRequest {
  readonly place: DumpPlace;
  /** The same server as this program reaches it, for sizes and position. */
  readonly server: Server;
  /** `<project>-<stack>`. */
  readonly stack: string;
  readonly revision: string;
  readonly releases: readonly string[];
  /** At least one. Key: database; value: version of its schema. */
  readonly databases: ReadonlyMap<string, string | undefined>;
  /** Good dumps of this stack to keep, this one included. Never fewer than one. */
  readonly keep: number;
  /** Parallel jobs of pg_dump. Default 2. */
  readonly jobs?: number;
  readonly say: Say;
}

export interface Dump {
  readonly name: string;
  /** Where a person finds it. */
  readonly where: string;
  /** One line, e.g. `2 databases, 11 MB in 3.4 s, read back`. */
  readonly summary: string;
  readonly manifest: DumpManifest;
}

/**
 * Dumps the databases one after the other, with roles but without their passwords, reads every byte back, and only then gives the
 * dump its name. What goes wrong leaves nothing behind and is a Refusal `DUMP_FAILED` with PostgreSQL's words, or
 * `DUMP_NO_SPACE` before anything is written. Then dumps beyond `keep` are removed.
 */
export async function takeDump(request: DumpRequest): Promise<Dump> {
  const { place, stack, revision, say } = request;
  const started = new Date();
  const name = dumpName(stack, started, revision);
  const position = await serverPosition(request);
  const databases = await measure(request);
  const partial = `${dumpsFolder}/.partial-${name}`;
  try {
    const prepared = await shellIn(place, prepareScript, [dumpsFolder, stack, manifestFile, partial]);
    const [last] = dumpsOf(stack, prepared);
    const [df = ""] = prepared.split("\x1e");
    refuseWithoutRoom(bytesNeeded(databases, last?.manifest), roomFrom(df), locate(place));
    const dumped: DumpedDatabase[] = [];
    for (const database of databases) dumped.push(await dumpOne(request, database, partial));
    say("reading the dump back");
    const manifest = await verify(request, partial, {
      ...{ format: 1, stack, revision, releases: [...request.releases], startedAt: started.toISOString() },
      ...{ server: position, databases: dumped, globals: "globals.sql" },
    });
    const finished = await shellIn(
      place,
      finishScript,
      [dumpsFolder, stack, manifestFile, partial, `${dumpsFolder}/${name}`],
      { input: `${JSON.stringify(manifest, undefined, 2)}\n` },
    );
    const removed = await pruneDumps(place, dumpsOf(stack, finished), request.keep);
    for (const old of removed) say(`removed the old dump ${old}`);
    return { name, where: locate(place, name), summary: summary(manifest), manifest };
  } catch (error) {
    await shellIn(place, 'rm -rf "$1"', [partial]).catch(() => {
      // The first error is the one to show; what is left is removed by the next dump.
      say(`could not remove ${partial}`);
    });
    throw asRefusal(error, place);
  }
}

/**
 * What a killed run left is of no use: only a dump with its final name was read back. The date in the pattern keeps `shop-prod`
 * away from what `shop-prod-2` is writing at this moment. `$1` folder, `$2` stack, `$3` name of the manifest, `$4` new folder.
 */
const prepareScript = `cd "$1"
find . -maxdepth 1 -name ".partial-$2-${"[0-9]".repeat(8)}T*" -exec rm -rf {} +
mkdir "$4"
df -Pk .
${listScript}`;

/** On disk before it has its name, and the name on disk before anybody relies on it. `$4` partial, `$5` final folder. */
const finishScript = `cat > "$4/$3"
sync -f "$4"
mv -T "$4" "$5"
sync -f "$5"
${listScript}`;

/** Per database its table of contents, then hashes, then sizes; hashing goes on beside the reading. `$1` dump, then the folders. */
const verifyScript = `cd "$1"; shift
sums=$(mktemp)
trap 'rm -f "$sums"' EXIT
find . -type f -exec sha256sum -b {} + > "$sums" &
hashing=$!
for folder in "$@"; do
  pg_restore --file=/dev/null "$folder"
  pg_restore --list "$folder"
  printf '\\036'
done
wait "$hashing"
cat "$sums"
printf '\\036'
find . -type f -printf '%s %P\\n'`;

async function dumpOne(
  { place, revision, jobs = 2, say }: DumpRequest,
  database: DumpDatabase,
  partial: string,
): Promise<DumpedDatabase> {
  const folder = databaseFolder(database.name);
  const path = `${partial}/${folder}`;
  say(`dumping ${database.name} (${size(database.tableBytes)})`);
  const start = performance.now();
  const applicationName = sessionName(revision, "dump");
  await runIn(place, pgDumpArguments(database.name, path, jobs), { applicationName });
  const seconds = Math.round(performance.now() - start) / 1000;
  const { name, schemaVersion = null, tableBytes } = database;
  return { name, folder, schemaVersion, tableBytes, seconds, bytes: 0, entries: 0, tables: 0 };
}

async function verify(
  { place }: DumpRequest,
  partial: string,
  draft: Omit<DumpManifest, "files" | "finishedAt">,
): Promise<DumpManifest> {
  const [first] = draft.databases;
  await runIn(place, pgDumpallArguments(first?.name ?? "postgres", `${partial}/${draft.globals}`));
  const printed = await shellIn(place, verifyScript, [
    partial,
    ...draft.databases.map(({ folder }) => folder),
  ]);
  const parts = printed.split("\x1e");
  const files = filesFrom(parts.at(-2) ?? "", parts.at(-1) ?? "");
  const bytesIn = (folder: string): number =>
    files.filter(({ path }) => path.startsWith(`${folder}/`)).reduce((total, { bytes }) => total + bytes, 0);
  return {
    ...draft,
    databases: draft.databases.map((database, index) => ({
      ...database,
      ...countEntries(parts[index] ?? ""),
      bytes: bytesIn(database.folder),
    })),
    files,
    finishedAt: new Date().toISOString(),
  };
}

async function serverPosition({ server, databases }: DumpRequest): Promise<DumpManifest["server"]> {
  const [first = "postgres"] = databases.keys();
  const schema = z.object({
    version: z.string(),
    systemIdentifier: z.string(),
    timeline: z.number(),
    lsn: z.string(),
  });
  return withClient(server, first, (client) =>
    rowOf(
      client,
      schema,
      `select current_setting('server_version') as version, ${currentTimeline} as timeline,
              (select system_identifier::text from pg_control_system()) as "systemIdentifier",
              (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn`,
    ),
  );
}

/** Tables, materialised views and large objects; catalogues are not dumped as data. */
const sizeSelect = `
  select coalesce(sum(pg_table_size(oid)), 0) as bytes from pg_class
   where relkind in ('r', 'm') and (oid >= 16384 or relname = 'pg_largeobject')`;

async function measure({ server, databases }: DumpRequest): Promise<DumpDatabase[]> {
  const measured: DumpDatabase[] = [];
  for (const [name, schemaVersion] of databases) {
    const { bytes } = await withClient(server, name, (client) =>
      rowOf(client, z.object({ bytes: z.coerce.number() }), sizeSelect),
    );
    measured.push({ name, schemaVersion, tableBytes: bytes });
  }
  return measured;
}

function summary({ databases, files, startedAt, finishedAt }: DumpManifest): string {
  const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
  const bytes = files.reduce((total, file) => total + file.bytes, 0);
  const count = databases.length === 1 ? "1 database" : `${String(databases.length)} databases`;
  return `${count}, ${size(bytes)} in ${seconds.toFixed(1)} s, read back in full`;
}

function asRefusal(error: unknown, place: DumpPlace): unknown {
  if (!(error instanceof DockerFailure)) return error;
  const words = error.stderr.split("\n").filter((line) => !/^(pg_dump(all)?: hint|Command was)/i.test(line));
  const full = /no space left on device/i.test(error.stderr);
  return new Refusal({
    code: "DUMP_FAILED",
    found: `no dump could be made: ${words.slice(0, 4).join("; ")}.`,
    untouched: "Nothing was stopped, and what had been written of the dump was removed.",
    next: full
      ? `Make room where the dumps are kept (${locate(place)}), then run \`pulumi up\` again.`
      : "Mend what PostgreSQL names, then run `pulumi up` again.",
    cause: error,
  });
}
