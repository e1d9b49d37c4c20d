import { z } from "zod";
import { identifier, literal } from "../../database/query.ts";
import { hasDatabase, selectRows } from "../look/query.ts";
import type { LookSession } from "../look/session.ts";
import { readerShell } from "../reader.ts";
import { refuseRecovery } from "../refusals.ts";
import { formatLsn, parseLsn, type Ending } from "../wal.ts";
import { committedBy } from "./damage.ts";
import { qualified, type Suspect } from "./find.ts";
import { followRow, parseRows, shortenRows } from "./row.ts";
import type { Scan } from "./scan.ts";

export interface KeyQuery {
  readonly database: string;
  readonly table: string;
  /** Values by column; they say which row is meant. */
  readonly key: ReadonlyMap<string, string>;
}

/** A row's changes, and what it held just before the last of them. */
export interface RowHistory {
  readonly suspects: readonly Suspect[];
  readonly held: unknown;
}

/**
 * Finds every transaction that changed or deleted one row: the row is looked up on an instance where the search begins, and then
 * followed through the WAL from place to place, across rewrites of its table.
 */
export async function findKey(session: LookSession, scan: Scan, query: KeyQuery): Promise<RowHistory> {
  const { endings } = scan.contents;
  const [first] = endings;
  const suspects: Suspect[] = [];
  let row = first === undefined ? undefined : await rowAt(session, query, first.lsn, "before");
  if (row === undefined) throw absent(query, scan);
  // Records of a transaction lie before its end: which are new is told by the ends.
  let later = endings;
  while (row !== undefined) {
    const rewrite = await nextRewrite(session, row, scan.from, later);
    const until = rewrite?.lsn ?? session.archive.end;
    const changes = followRow(
      row.place,
      await rowRecords(session, row, scan.from, until),
      committedBy(later),
    );
    suspects.push(
      ...changes.map(({ ending, how }) => ({ ending, table: query.table, what: `${how}d the row` })),
    );
    if (rewrite === undefined || changes.at(-1)?.how === "delete") break;
    const next = await rowAt(session, query, rewrite.lsn, "after");
    if (next === undefined) {
      const emptied = scan.contents.destroyed.find(
        ({ xid, relation }) => relation === row?.relation && [rewrite.xid, ...rewrite.subxids].includes(xid),
      );
      const what =
        emptied === undefined
          ? "took the row away"
          : emptied.how === "drop"
            ? "dropped the table"
            : "truncated the table";
      suspects.push({ ending: rewrite, table: query.table, what });
    }
    later = endings.filter(({ lsn }) => lsn > rewrite.lsn);
    row = next;
  }
  const last = suspects.at(-1);
  const held = last === undefined ? undefined : await rowAt(session, query, last.ending.lsn, "before");
  return { suspects, held: held?.row };
}

interface LocatedRow {
  readonly place: { readonly block: number; readonly offset: number };
  /** `tablespace/database/file`. */
  readonly file: string;
  readonly relation: string;
  readonly row: unknown;
}

const located = z.object({
  block: z.coerce.number(),
  offset: z.coerce.number(),
  file: z.string(),
  relation: z.string(),
  row: z.unknown(),
});

/** The row on the instance just before, or just after, the end of a transaction; undefined: it is not there, or its table is not. */
async function rowAt(
  session: LookSession,
  { database, table, key }: KeyQuery,
  lsn: bigint,
  when: "before" | "after",
): Promise<LocatedRow | undefined> {
  // A position inside a record means the next one: just after it.
  const look = await session.goTo({ kind: "lsn", lsn: formatLsn(when === "before" ? lsn : lsn + 1n) });
  if (!(await hasDatabase(look.container, database))) return undefined;
  const name = qualified(table);
  const there = await selectRows(
    look.container,
    database,
    z.object({ is: z.boolean() }),
    `select to_regclass(${literal(name)}) is not null as is`,
  );
  if (there[0]?.is !== true) return undefined;
  const conditions = [...key].map(([column, value]) => `t.${identifier(column)} = ${literal(value)}`);
  const rows = await selectRows(
    look.container,
    database,
    located,
    `select (t.ctid::text::point)[0]::bigint as block, (t.ctid::text::point)[1]::int as offset, t.tableoid::text as relation,
            coalesce(nullif(c.reltablespace, 0), d.dattablespace) || '/' || d.oid || '/' || pg_relation_filenode(t.tableoid) as file,
            to_jsonb(t) as row
       from ${name} t join pg_class c on c.oid = t.tableoid, pg_database d
      where d.datname = current_database() and ${conditions.join(" and ")} limit 2`,
  );
  const [only, another] = rows;
  if (another !== undefined) {
    throw refuseRecovery(
      "FIND_AMBIGUOUS",
      `several rows of ${table} have ${describeKey(key)}.`,
      "Give a value for each column of the primary key:  --key COLUMN=VALUE",
    );
  }
  if (only === undefined) return undefined;
  const { block, offset, file, relation, row } = only;
  return { place: { block, offset }, file, relation, row };
}

/** The first committed transaction of the later ones that gave the table another file, or took it away. */
async function nextRewrite(
  session: LookSession,
  { file }: LocatedRow,
  from: bigint,
  later: readonly Ending[],
): Promise<Ending | undefined> {
  const [, database = "", number = ""] = file.split("/");
  const printed = await dump(
    session,
    from,
    session.archive.end,
    ["-r", "Transaction"],
    freeing,
    `/${database}/${number}`,
  );
  const freed = printed.split("\n").filter(Boolean).map(parseLsn);
  return later.find(({ lsn, committed }) => committed && freed.includes(lsn));
}

/** Positions of commits that free a file; `$ENV{what}` is the end of its path. */
const freeing = String.raw`print "$1\n" if /lsn: ([0-9A-F\/]+), .*desc: COMMIT.*; rels: [^;]*\Q$ENV{what}\E(?: |;|$)/`;

async function rowRecords(
  session: LookSession,
  { file }: LocatedRow,
  from: bigint,
  until: bigint,
): Promise<ReturnType<typeof parseRows>> {
  return parseRows(await dump(session, from, until, ["-r", "Heap", "-R", file], shortenRows));
}

/** Runs pg_waldump over what the reader has fetched already, through a program for perl. */
function dump(
  { archive: { reader, timeline } }: LookSession,
  from: bigint,
  to: bigint,
  options: readonly string[],
  program: string,
  what = "",
): Promise<string> {
  const script = `folder=$1 timeline=$2 from=$3 to=$4 program=$5; export what=$6; shift 6
pg_waldump -p "$folder" -t "$timeline" -s "$from" -e "$to" "$@" | perl -ne "$program"`;
  return readerShell(reader, script, [
    ...[reader.scratch, String(timeline), formatLsn(from), formatLsn(to), program, what],
    ...options,
  ]);
}

function absent({ table, key }: KeyQuery, { backup }: Scan): Error {
  return refuseRecovery(
    "FIND_NOTHING",
    `no row of ${table} with ${describeKey(key)} was there at ${new Date(backup.stoppedAt).toISOString()}, where the search begins.`,
    "Begin elsewhere:  --since TIME  (the newest base backup before it); or search for what happened to the table:  --table without --key",
  );
}

function describeKey(key: ReadonlyMap<string, string>): string {
  return [...key].map(([column, value]) => `${column} = ${value}`).join(", ");
}
