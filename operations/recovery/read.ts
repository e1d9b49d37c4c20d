import { readerShell, type Reader } from "./reader.ts";
import { segmentName, segmentsAlong, segmentStart, timelineAt, type Branch } from "./segments.ts";
import { parseDestroyed, type Destroyed } from "./destroyed.ts";
import { parseRunning, type Running } from "./running.ts";
import { formatLsn, parseLsn, parseParameters, parseWal, type Endings } from "./wal.ts";

/** Rows that a transaction wrote to one table, which is named by `tablespace/database/file`. */
export interface Writes {
  readonly xid: string;
  readonly file: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Into a file that this transaction made: a new table, or one that is written anew with the rows it had. */
  readonly fresh?: boolean;
}

export interface WalContents extends Endings {
  /** Server settings from each place on at which they changed, by the names of the WAL. */
  readonly parameters: readonly ReadonlyMap<string, number>[];
  readonly writes: readonly Writes[];
  /** Position of the last record read; undefined: there was none. */
  readonly last: bigint | undefined;
  readonly destroyed: readonly Destroyed[];
  /** Which transactions were under way, as the server noted it now and then; empty when rows were read. */
  readonly running: readonly Running[];
}

/** A stretch of WAL that could not be read in full. */
export interface WalGap {
  readonly gap: string;
  /** What lies before it. */
  readonly readable: WalContents;
}

interface ReadOptions {
  /** Records up to and with the one here are left out. */
  readonly after?: bigint;
  /** Whether rows are counted (default); printing their records is what takes the time. */
  readonly rows?: boolean;
}

/**
 * Reads all WAL from `from` to `to` along the way, from the archive and from what the volume still holds. Each segment is linked
 * under the newest timeline's name, so that `pg_waldump` reads across forks in one go and loses no record on a boundary.
 */
export async function readWal(
  reader: Reader,
  way: readonly Branch[],
  from: bigint,
  to: bigint,
  options: ReadOptions = {},
): Promise<WalContents | WalGap> {
  const timeline = way.at(-1)?.timeline ?? 1;
  const missing = await fetchSegments(reader, timeline, segmentsAlong(way, from, to));
  if (missing === undefined) {
    const contents = await dump(reader, way, from, to, options);
    if (!("gap" in contents) || !(await forgetRecycled(reader))) return contents;
    return readWal(reader, way, from, to, options);
  }
  const until = segmentStart(missing);
  const before = until > from ? await dump(reader, way, from, until, options) : nothing;
  return { gap: missing, readable: "gap" in before ? before.readable : before };
}

const nothing: WalContents = {
  ...{ endings: [], points: [], prepared: [], parameters: [], writes: [], destroyed: [], running: [] },
  last: undefined,
};

/** Several at once: each is a process, or a question to a bucket, of its own. @returns the first that is not to be had. */
async function fetchSegments(
  reader: Reader,
  timeline: number,
  names: readonly string[],
): Promise<string | undefined> {
  const list = names.map((name) => `${name} ${segmentName(timeline, segmentStart(name))}\n`).join("");
  const get = reader.pgbackrest("archive-get", ["--log-level-console=off", "--log-level-stderr=off"]);
  const printed = await readerShell(reader, fetchScript, [reader.scratch, reader.data, ...get], list);
  const missing = new Set(printed.split("\n"));
  return names.find((name) => missing.has(name));
}

/** A server that works takes segments away that were linked: they are in the archive by then. @returns whether there were any. */
async function forgetRecycled(reader: Reader): Promise<boolean> {
  return (await readerShell(reader, 'find "$1" -xtype l -print -delete', [reader.scratch])) !== "";
}

async function dump(
  reader: Reader,
  way: readonly Branch[],
  from: bigint,
  to: bigint,
  { after = 0n, rows = true }: ReadOptions,
): Promise<WalContents | WalGap> {
  const timeline = way.at(-1)?.timeline ?? 1;
  const printed = await readerShell(reader, dumpScript, [
    ...[reader.scratch, String(timeline), formatLsn(from), formatLsn(to), summarise, String(after)],
    ...["Transaction", "XLOG", ...(rows ? ["Heap", "Heap2", "Storage"] : ["Standby"])],
  ]);
  const [records = "", error = ""] = printed.split("\x1e");
  const parsed = parseWal(records, timeline);
  const contents = {
    endings: parsed.endings.map((each) => ({ ...each, timeline: timelineAt(way, each.lsn) })),
    points: parsed.points.map((each) => ({ ...each, timeline: timelineAt(way, each.lsn) })),
    writes: parseWrites(records),
    prepared: parsed.prepared,
    parameters: parseParameters(records),
    last: parseLast(records),
    destroyed: parseDestroyed(records),
    running: parseRunning(records),
  };
  if (error.trim() === "") return contents;
  const at = /at ([0-9A-F]+\/[0-9A-F]+)/.exec(error)?.[1];
  const gap = `${at === undefined ? "" : `${at}: `}${error.trim().split("\n")[0] ?? ""}`;
  return { gap, readable: contents };
}

/** `$1` folder, `$2` old volume, then the command of archive-get; standard input: segment and the name to give it. Prints what is missing. */
const fetchScript = `to=$1 old=$2; shift 2; mkdir -p "$to"
# What is fetched would be written through a link to a segment that the server has taken away.
find "$to" -xtype l -delete
while read -r name as; do
  [ -e "$to/$as" ] && continue
  if [ -e "$old/pg_wal/$name" ]; then ln -s "$old/pg_wal/$name" "$to/$as"
  else echo "$name $to/$as"; fi
done | xargs -r -L 1 -P "$(($(nproc) * 2))" bash -c '
  get=("\${@:1:$#-2}"); set -- "\${@: -2}"
  "\${get[@]}" "$1" "$2" </dev/null >/dev/null 2>&1 || echo "$1"' sh "$@"`;

/** `$1` folder, `$2` timeline, `$3` and `$4` positions, `$5` perl program, `$6` position up to which nothing is wanted, then kinds of records. */
const dumpScript = `errors=$(mktemp); folder=$1 timeline=$2 from=$3 to=$4 program=$5 after=$6; shift 6
pg_waldump -p "$folder" -t "$timeline" -s "$from" -e "$to" "\${@/#/--rmgr=}" 2>"$errors" | AFTER="$after" perl -ne "$program" || true
printf '\\036'; cat "$errors"; rm -f "$errors"`;

/** Ends of transactions and restore points as they are; rows written, summed up. Records of big transactions stay in the container. */
const summarise = String.raw`BEGIN { $after = $ENV{AFTER} }
if ($after && m{, lsn: ([0-9A-F]+)/([0-9A-F]+),}) { next if hex($1) * 4294967296 + hex($2) <= $after }
$seen = $_;
if (/^rmgr: Standby/) {
  print "RUNNING $1 $2 $3\n" if m{, lsn: ([0-9A-F]+/[0-9A-F]+),.* desc: RUNNING_XACTS nextXid (\d+) .*oldestRunningXid (\d+)};
} elsif (/^rmgr: (?:Transaction|XLOG)/) {
  if (/desc: (?:COMMIT|ABORT|PREPARE|RESTORE_POINT|PARAMETER_CHANGE)/) { s/; inval msgs:.*//; print; }
} elsif (/ desc: TRUNCATE .*relids: /) {
  print;
} elsif (/ tx: +(\d+),.*? desc: CREATE (?:base|pg_tblspc\/\d+\/[^\/]+)\/(\d+)\/(\d+)$/) {
  $created{"$1 $2 $3"} = 1;
} elsif (/ tx: +(\d+),.*? desc: (INSERT|MULTI_INSERT|UPDATE|HOT_UPDATE|DELETE)/) {
  my ($tx, $op) = ($1, $2);
  next unless /blkref #0: rel (\d+)\/(\d+)\/(\d+)/;
  my $key = "$tx $1/$2/$3 " . ($created{"$tx $2 $3"} || 0);
  my $n = /ntuples: (\d+)/ ? $1 : 1;
  $rows{$key}[$op =~ /INSERT/ ? 0 : $op =~ /UPDATE/ ? 1 : 2] += $n;
}
END { for (keys %rows) { my @n = map { $_ || 0 } @{$rows{$_}}[0..2]; print "ROWS $_ @n\n" }
  print "LAST $1\n" if $seen =~ m{, lsn: ([0-9A-F]+/[0-9A-F]+),} }`;

function parseLast(printed: string): bigint | undefined {
  const found = /^LAST (\S+)$/m.exec(printed)?.[1];
  return found === undefined ? undefined : parseLsn(found);
}

function parseWrites(printed: string): Writes[] {
  return [...printed.matchAll(/^ROWS (\d+) (\S+) ([01]) (\d+) (\d+) (\d+)$/gm)].map(
    ([, xid = "", file = "", fresh, inserted, updated, deleted]) => ({
      xid,
      file,
      inserted: Number(inserted),
      updated: Number(updated),
      deleted: Number(deleted),
      fresh: fresh === "1",
    }),
  );
}
