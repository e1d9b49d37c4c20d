import type { Ending } from "../wal.ts";

/** Where a version of a row lies in its table's file. */
export interface Place {
  readonly block: number;
  readonly offset: number;
}

/** A change of one row as the WAL tells of it. */
export interface RowRecord {
  readonly xid: string;
  readonly from: Place;
  /** Where its next version is; undefined: it was deleted. */
  readonly to: Place | undefined;
}

/** Short form in which the changes of one table's rows leave the container, and its program for perl. */
export const shortenRows = String.raw`next unless / tx: +(\d+),.*? desc: (HOT_UPDATE|UPDATE|DELETE)/;
my ($tx, $op) = ($1, $2);
next unless /blkref #0: rel \S+ blk (\d+)/;
my ($new, $old) = ($1, $1);
$old = $1 if /blkref #1: rel \S+ blk (\d+)/;
if ($op eq "DELETE") { print "$tx $old $1\n" if / off: (\d+)/; }
elsif (/old_off: (\d+)/) { my $from = $1; print "$tx $old $from $new $1\n" if /new_off: (\d+)/; }`;

/** Reads the short form. Pure. */
export function parseRows(printed: string): RowRecord[] {
  return printed
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [xid = "", ...numbers] = line.split(" ");
      const [block = 0, offset = 0, newBlock, newOffset] = numbers.map(Number);
      const to =
        newBlock === undefined || newOffset === undefined
          ? undefined
          : { block: newBlock, offset: newOffset };
      return { xid, from: { block, offset }, to };
    });
}

/** One transaction that changed the row. */
export interface RowChange {
  readonly ending: Ending;
  readonly how: "update" | "delete";
}

/**
 * Follows one row from place to place. What was rolled back did not happen: such a version is nobody's. Pure.
 * @returns its changes in order, one for each transaction.
 */
export function followRow(
  start: Place,
  records: readonly RowRecord[],
  committed: ReadonlyMap<string, Ending>,
): RowChange[] {
  const changes = new Map<string, RowChange>();
  let at: Place | undefined = start;
  for (const { xid, from, to } of records) {
    if (at === undefined) break;
    const ending = committed.get(xid);
    if (ending === undefined || from.block !== at.block || from.offset !== at.offset) continue;
    changes.set(ending.xid, { ending, how: to === undefined ? "delete" : "update" });
    at = to;
  }
  return [...changes.values()];
}
