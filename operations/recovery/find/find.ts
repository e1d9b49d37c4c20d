import { z } from "zod";
import { tableParts, tableSql } from "../../../settings/identifiers.ts";
import { literal } from "../../database/query.ts";
import { selectRows } from "../look/query.ts";
import type { LookSession } from "../look/session.ts";
import { formatLsn, type Ending } from "../wal.ts";
import { countsOf, damages, fellBelow, worstFirst, type Damage } from "./damage.ts";
import { countNow, tablesOf, type Scan } from "./scan.ts";

/** A transaction that may be the one that is looked for. */
export interface Suspect {
  readonly ending: Ending;
  /** As SQL writes it; empty: the whole database. */
  readonly table: string;
  /** What it did, for a person. */
  readonly what: string;
  /** The table's rows before and after it, where that is known. */
  readonly before?: number | undefined;
  readonly after?: number | undefined;
}

export interface DamageQuery {
  readonly database: string;
  /** `schema.table`; undefined: any. */
  readonly table?: string | undefined;
  /** Number of rows under which the table fell. */
  readonly below?: number | undefined;
  /** Do not start an instance to find out the names of dropped tables and how many rows there were. */
  readonly quick: boolean;
}

/** Most suspects that are told of. */
const most = 10;

/** Searches for what was dropped, truncated or deleted; the worst first, or where the count of a table fell below a number. */
export async function findDamage(session: LookSession, scan: Scan, query: DamageQuery): Promise<Suspect[]> {
  const { settings } = session.place;
  const tables = await tablesOf(settings, query.database);
  const all = await withNames(session, query, damages(scan.contents, tables));
  const wanted = query.table === undefined ? undefined : qualified(query.table);
  const about =
    wanted === undefined ? all : all.filter(({ table }) => table !== undefined && tableSql(table) === wanted);
  if (wanted === undefined) return checked(session, query, worstFirst(about).slice(0, most).map(plain));
  const now = await countNow(settings, query.database, wanted);
  const counts = countsOf(about, now ?? 0);
  if (query.below !== undefined) {
    const fell = fellBelow(counts, query.below);
    return fell === undefined
      ? []
      : checked(session, query, [{ ...plain(fell.damage), before: fell.before, after: fell.after }]);
  }
  const known = new Map(counts.map((count) => [count.damage, count]));
  return checked(
    session,
    query,
    worstFirst(about)
      .slice(0, most)
      .map((damage) => ({
        ...plain(damage),
        before: known.get(damage)?.before,
        after: known.get(damage)?.after,
      })),
  );
}

/** Name with its schema, every part quoted; `public` where none is given. */
export function qualified(table: string): string {
  return tableParts(table).schema === undefined ? `"public".${tableSql(table)}` : tableSql(table);
}

function plain({ ending, table = "", how, inserted, updated, deleted, relation }: Damage): Suspect {
  const rows = `${deleted} deleted, ${updated} updated, ${inserted} inserted`;
  const what = how === "drop" ? "dropped" : how === "truncate" ? "truncated" : rows;
  return { ending, table: table === "" ? `(number ${relation})` : table, what };
}

/**
 * Names of tables that are gone: each transaction that dropped something is gone to, in order, and the catalogue of just before it is
 * asked. What is no table there (an index, or made and dropped in one transaction) is left out.
 */
async function withNames(
  session: LookSession,
  { database, quick }: DamageQuery,
  all: readonly Damage[],
): Promise<Damage[]> {
  const unnamed = all.filter(({ table, how }) => table === undefined && how !== "delete");
  if (quick || unnamed.length === 0) return [...all];
  const endings = [...new Set(unnamed.map(({ ending }) => ending))].slice(-most);
  const names = new Map<string, string>();
  for (const ending of endings) {
    const { container } = await session.goTo({ kind: "lsn", lsn: formatLsn(ending.lsn) });
    const numbers = unnamed.filter((each) => each.ending === ending).map(({ relation }) => relation);
    const found = await selectRows(
      container,
      database,
      z.object({ number: z.string(), name: z.string() }),
      `select c.oid::text as number, format('%I.%I', n.nspname, c.relname) as name
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid in (${numbers.map(literal).join(", ")}) and c.relkind in ('r', 'm', 'p') and n.nspname !~ '^pg_'`,
    );
    for (const { number, name } of found) names.set(`${ending.xid} ${number}`, name);
  }
  return all.flatMap((damage) => {
    if (damage.table !== undefined) return [damage];
    const table = names.get(`${damage.ending.xid} ${damage.relation}`);
    return table === undefined ? [] : [{ ...damage, table }];
  });
}

/** Looks how many rows the first suspect's table had just before it. */
async function checked(
  session: LookSession,
  { database, quick }: DamageQuery,
  suspects: readonly Suspect[],
): Promise<Suspect[]> {
  const [first, ...others] = suspects;
  if (first === undefined || quick || first.before !== undefined || !first.table.includes("."))
    return [...suspects];
  const { container } = await session.goTo({ kind: "lsn", lsn: formatLsn(first.ending.lsn) });
  const [row] = await selectRows(
    container,
    database,
    z.object({ count: z.number() }),
    `select count(*) from ${first.table}`,
  );
  return [{ ...first, before: row?.count }, ...others];
}
