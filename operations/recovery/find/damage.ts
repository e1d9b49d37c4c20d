import type { Destroyed } from "../destroyed.ts";
import type { WalContents } from "../read.ts";
import type { Ending } from "../wal.ts";

/** What one transaction did to one table. */
export interface Damage {
  readonly ending: Ending;
  /** Number of the table; it outlives rewrites, unlike its file. */
  readonly relation: string;
  /** As SQL writes it; undefined: it is not in the catalogue any more, and has to be asked of an earlier one. */
  readonly table: string | undefined;
  readonly how: "drop" | "truncate" | "delete" | "update" | "insert";
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/** Tables of one database as they are now. */
export interface Tables {
  /** Number of the database. */
  readonly database: string;
  /** Number of a table by the file it is in. */
  readonly byFile: ReadonlyMap<string, string>;
  /** Name by number. */
  readonly names: ReadonlyMap<string, string>;
}

/** What each committed transaction did to each table of a database, in the order of their commits. Pure. */
export function damages(contents: WalContents, { database, byFile, names }: Tables): Damage[] {
  const committed = committedBy(contents.endings);
  const found = new Map<string, Damage>();
  const add = (xid: string, relation: string, change: (damage: Damage) => Damage): void => {
    const ending = committed.get(xid);
    if (ending === undefined) return;
    const key = `${ending.xid} ${relation}`;
    const none: Damage = {
      ...{ ending, relation, table: names.get(relation), how: "insert" },
      ...{ inserted: 0, updated: 0, deleted: 0 },
    };
    found.set(key, change(found.get(key) ?? none));
  };
  for (const { xid, file, inserted, updated, deleted, fresh = false } of contents.writes) {
    const [, writtenIn, number = ""] = file.split("/");
    // A table that was never rewritten is in the file of its own number.
    const relation = byFile.get(number) ?? (names.has(number) ? number : undefined);
    // Rows of a table that is written anew were there before.
    if (writtenIn !== database || relation === undefined || fresh) continue;
    add(xid, relation, (damage) =>
      named({
        ...damage,
        inserted: damage.inserted + inserted,
        updated: damage.updated + updated,
        deleted: damage.deleted + deleted,
      }),
    );
  }
  for (const each of contents.destroyed) {
    if (each.database !== database) continue;
    add(each.xid, each.relation, (damage) => ({ ...damage, how: worse(damage.how, each.how) }));
  }
  return [...found.values()].sort((a, b) => (a.ending.lsn < b.ending.lsn ? -1 : 1));
}

/** Committed transactions by their own numbers and by those of what is within them. Pure. */
export function committedBy(endings: readonly Ending[]): ReadonlyMap<string, Ending> {
  return new Map(
    endings
      .filter(({ committed }) => committed)
      .flatMap((ending) => [ending.xid, ...ending.subxids].map((xid) => [xid, ending] as const)),
  );
}

function named(damage: Damage): Damage {
  if (damage.how === "drop" || damage.how === "truncate") return damage;
  return { ...damage, how: damage.deleted > 0 ? "delete" : damage.updated > 0 ? "update" : "insert" };
}

function worse(one: Damage["how"], other: Destroyed["how"]): Damage["how"] {
  return one === "drop" ? one : other;
}

/** Worst first: removed and emptied tables, the latest first, then by rows deleted. Inserts and updates alone do not count. Pure. */
export function worstFirst(all: readonly Damage[]): Damage[] {
  const bad = all.filter(({ how }) => how !== "insert" && how !== "update");
  const rank = ({ how }: Damage): number => (how === "delete" ? 1 : 0);
  return bad.sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (rank(a) === 1 ? b.deleted - a.deleted : 0) ||
      (a.ending.lsn > b.ending.lsn ? -1 : 1),
  );
}

/** A table's number of rows before and after a transaction; undefined: nobody can tell without looking. */
export interface Count {
  readonly damage: Damage;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/**
 * How many rows a table had, from how many it has now and what each transaction did; oldest first. Before a TRUNCATE nobody knows.
 * Pure.
 */
export function countsOf(changes: readonly Damage[], now: number): Count[] {
  let after: number | undefined = now;
  const counts: Count[] = [];
  for (const damage of [...changes].reverse()) {
    const wiped = damage.how === "truncate" || damage.how === "drop";
    const before: number | undefined =
      after === undefined || wiped ? undefined : after - damage.inserted + damage.deleted;
    counts.push({ damage, before, after });
    after = before;
  }
  return counts.reverse();
}

/** The last transaction after which the table had fewer rows than `least`, and before it not. Pure. */
export function fellBelow(counts: readonly Count[], least: number): Count | undefined {
  return counts.findLast(
    ({ before, after }) => after !== undefined && after < least && (before === undefined || before >= least),
  );
}
