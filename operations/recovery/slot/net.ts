import type { Change, Row } from "./changes.ts";

/** What became of one row by the changes that were followed. */
interface Fate {
  /** What it is at the end; undefined: deleted. */
  readonly row: Row | undefined;
  /** Key under which it was there before the first change; undefined: it was not there. */
  readonly base: Row | undefined;
  /** Columns that no change has told of, and the key of the row that has had them since before the first. */
  readonly missing: readonly string[];
  readonly origin: Row | undefined;
}

/** What the changes of one table come to, row by row. Followed in place, as there may be many. */
export interface Net {
  /** Primary key; empty: the table has none. */
  readonly key: readonly string[];
  readonly fates: Map<string, Fate>;
  /** Rows written to a table without a primary key, as they came. */
  readonly loose: Row[];
  /** Updates and deletes of rows that nothing identifies. */
  unidentified: number;
  truncates: number;
}

export function emptyNet(key: readonly string[]): Net {
  return { key, fates: new Map(), loose: [], unidentified: 0, truncates: 0 };
}

/**
 * Takes one more change into account. A TRUNCATE is counted only: the rows written before it are what a salvage is after, and
 * those that were there before are where the recovery went to.
 */
export function follow(net: Net, { change, old, row, unchanged = [] }: Change): void {
  const { key, fates } = net;
  if (change === "truncate") {
    net.truncates += 1;
    return;
  }
  const identifying = change === "insert" ? row : hasKey(key, old) ? old : row;
  if (!hasKey(key, identifying)) {
    if (change !== "insert") net.unidentified += 1;
    if (row !== undefined) net.loose.push(row);
    return;
  }
  const from = identify(key, identifying);
  const before = fates.get(from);
  if (change === "insert") {
    fates.set(from, { row, base: before?.base, missing: [], origin: undefined });
    return;
  }
  const base = before === undefined ? keyOf(key, identifying) : before.base;
  if (row === undefined) {
    leave(net, from, base);
    return;
  }
  const whole = { ...before?.row, ...row };
  const missing = [...new Set([...(before?.missing ?? []), ...unchanged])].filter((name) => !(name in whole));
  const origin = before === undefined ? base : before.origin;
  const to = hasKey(key, row) ? identify(key, row) : from;
  if (to === from) {
    fates.set(from, { row: whole, base, missing, origin });
    return;
  }
  const there = fates.get(to)?.base;
  leave(net, from, base);
  fates.set(to, { row: whole, base: there, missing, origin });
}

function leave({ fates }: Net, id: string, base: Row | undefined): void {
  if (base === undefined) fates.delete(id);
  else fates.set(id, { row: undefined, base, missing: [], origin: undefined });
}

/** Rows at their end, by identity, and keys of rows that are gone. Pure. */
export function outcome({ fates }: Net): {
  readonly written: ReadonlyMap<string, Fate & { readonly row: Row }>;
  readonly gone: readonly Row[];
} {
  const written = new Map<string, Fate & { readonly row: Row }>();
  const gone: Row[] = [];
  for (const [id, fate] of fates) {
    const { row, base } = fate;
    if (row !== undefined) written.set(id, { ...fate, row });
    else if (base !== undefined) gone.push(base);
  }
  return { written, gone };
}

/** The values of the primary key as one text. Pure. */
export function identify(key: readonly string[], row: Row): string {
  return JSON.stringify(key.map((column) => row[column] ?? null));
}

function keyOf(key: readonly string[], row: Row): Row {
  return Object.fromEntries(key.map((column) => [column, row[column]]));
}

function hasKey(key: readonly string[], row: Row | undefined): row is Row {
  return row !== undefined && key.length > 0 && key.every((column) => row[column] != null);
}
