/** A relation that a committed transaction emptied (`truncate`) or removed (`drop`), by its number, which outlives rewrites. */
export interface Destroyed {
  /** The transaction, or the one within it. */
  readonly xid: string;
  /** Number of the database. */
  readonly database: string;
  readonly relation: string;
  readonly how: "truncate" | "drop";
}

/**
 * What `pg_waldump` printed of relations that were truncated (written because of `wal_level = logical`) and dropped (their statistics go
 * with them). A transaction that frees no file has dropped nothing that counts: temporary tables leave statistics, too. Pure.
 */
export function parseDestroyed(printed: string): Destroyed[] {
  const truncated: { readonly xid: string; readonly relations: readonly string[] }[] = [];
  const found: Destroyed[] = [];
  const databaseOf = new Map<string, string>();
  for (const line of printed.split("\n")) {
    const [, tx = "", description = ""] = / tx: +(\d+), .*? desc: (.*)$/.exec(line) ?? [];
    if (description.startsWith("TRUNCATE ")) {
      truncated.push({ xid: tx, relations: listed(/relids: \[([\d, ]*)\]/, description, ", ") });
      continue;
    }
    const database = freed.exec(description)?.slice(1).find(Boolean);
    const [, prepared] = /^COMMIT(?:_PREPARED (\d+):)? /.exec(description) ?? [];
    if (database === undefined || !description.startsWith("COMMIT")) continue;
    const xid = prepared ?? tx;
    // The record of a TRUNCATE does not name its database; the files that its commit frees do.
    for (const each of [xid, ...listed(/; subxacts: ([\d ]+)/, description, " ")])
      databaseOf.set(each, database);
    found.push(
      ...listed(/; dropped stats: ((?:\d+\/\d+\/\d+ ?)+)/, description, " ").flatMap((entry): Destroyed[] => {
        const [kind, from = "", relation = ""] = entry.split("/");
        return kind === relationStatistics ? [{ xid, database: from, relation, how: "drop" }] : [];
      }),
    );
  }
  return [
    ...truncated.flatMap(({ xid, relations }) =>
      relations.map((relation): Destroyed => ({
        ...{ xid, database: databaseOf.get(xid) ?? "", relation, how: "truncate" },
      })),
    ),
    ...found,
  ];
}

/** First file that a commit frees: in the database's own folder, or in a tablespace. */
const freed = /; rels: (?:base\/(\d+)|pg_tblspc\/\d+\/[^/ ]+\/(\d+))\//;

/** https://git.postgresql.org/gitweb/?p=postgresql.git;a=blob;f=src/include/pgstat.h;hb=REL_17_STABLE (PGSTAT_KIND_RELATION) */
const relationStatistics = "2";

function listed(pattern: RegExp, text: string, separator: string): string[] {
  return (pattern.exec(text)?.[1] ?? "").split(separator).filter(Boolean);
}
