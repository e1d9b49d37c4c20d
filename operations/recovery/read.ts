import { readerShell, type Reader } from "./reader.ts";
import { segmentName, segmentsAlong, segmentStart, timelineAt, type Branch } from "./segments.ts";
import { parseDestroyed, type Destroyed } from "./destroyed.ts";
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
}

/** A stretch of WAL that could not be read in full. */
export interface WalGap {
  readonly gap: string;
}

/**
 * Reads all WAL from `from` to `to` along the way, from the archive and from what the volume still holds. Each segment is linked
 * under the newest timeline's name, so that `pg_waldump` reads across forks in one go and loses no record on a boundary. Records up
 * to and with the one at `after` are left out.
 */
export async function readWal(
  reader: Reader,
  way: readonly Branch[],
  from: bigint,
  to: bigint,
  after = 0n,
): Promise<WalContents | WalGap> {
  const timeline = way.at(-1)?.timeline ?? 1;
  const names = segmentsAlong(way, from, to);
  const list = names.map((name) => `${name} ${segmentName(timeline, segmentStart(name))}\n`).join("");
  const fetched = await readerShell(
    reader,
    fetchScript,
    [
      reader.scratch,
      reader.data,
      ...reader.pgbackrest("archive-get", ["--log-level-console=off", "--log-level-stderr=off"]),
    ],
    list,
  );
  if (fetched !== "") return { gap: fetched };
  const printed = await readerShell(reader, dumpScript, [
    reader.scratch,
    String(timeline),
    formatLsn(from),
    formatLsn(to),
    summarise,
    String(after),
  ]);
  const [records = "", error = ""] = printed.split("\x1e");
  const at = /at ([0-9A-F]+\/[0-9A-F]+)/.exec(error)?.[1];
  if (error.trim() !== "")
    return { gap: `${at === undefined ? "" : `${at}: `}${error.trim().split("\n")[0] ?? ""}` };
  const parsed = parseWal(records, timeline);
  return {
    endings: parsed.endings.map((each) => ({ ...each, timeline: timelineAt(way, each.lsn) })),
    points: parsed.points.map((each) => ({ ...each, timeline: timelineAt(way, each.lsn) })),
    writes: parseWrites(records),
    prepared: parsed.prepared,
    parameters: parseParameters(records),
    last: parseLast(records),
    destroyed: parseDestroyed(records),
  };
}

/** `$1` folder, `$2` old volume, then the command of archive-get; standard input: segment and the name to give it. Prints what is missing. */
const fetchScript = `to=$1 old=$2; shift 2; mkdir -p "$to"
while read -r name as; do
  [ -e "$to/$as" ] && continue
  if [ -e "$old/pg_wal/$name" ]; then ln -s "$old/pg_wal/$name" "$to/$as"
  elif "$@" "$name" "$to/$as" </dev/null >/dev/null 2>&1; then :
  else echo "$name"; exit 0; fi
done`;

/** `$1` folder, `$2` timeline, `$3` and `$4` positions, `$5` perl program, `$6` position up to which nothing is wanted. */
const dumpScript = `errors=$(mktemp)
pg_waldump -p "$1" -t "$2" -s "$3" -e "$4" -r Transaction -r XLOG -r Heap -r Heap2 -r Storage 2>"$errors" | AFTER="$6" perl -ne "$5" || true
printf '\\036'; cat "$errors"; rm -f "$errors"`;

/** Ends of transactions and restore points as they are; rows written, summed up. Records of big transactions stay in the container. */
const summarise = String.raw`BEGIN { $after = $ENV{AFTER} }
if ($after && m{, lsn: ([0-9A-F]+)/([0-9A-F]+),}) { next if hex($1) * 4294967296 + hex($2) <= $after }
$seen = $_;
if (/^rmgr: (?:Transaction|XLOG)/) {
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
