import { Refusal } from "../../../settings/refusal.ts";
import { dropsOf } from "./drops.ts";
import type { Drop } from "./drops.ts";
import { effectsOf } from "./effects.ts";
import type { Effects } from "./effects.ts";
import { locksOf } from "./locks.ts";
import type { Lock } from "./locks.ts";
import { lossesOf } from "./losses.ts";
import type { Loss } from "./losses.ts";
import type { TableName } from "../types.ts";
import { requiredColumns } from "./required-columns.ts";
import type { RequiredColumn } from "./required-columns.ts";
import { worksOf } from "./work.ts";
import type { Work } from "./work.ts";
import { parseScript, withoutKeyword } from "./parse.ts";
import { hindrancesOf } from "./preparing.ts";
import type { Hindered } from "./preparing.ts";
import type { Node, Statement } from "./parse.ts";
import {
  addedLabel,
  builtIndex,
  changesRole,
  changesSettings,
  detachedPartition,
  fills,
  makesSetting,
  opaqueness,
  outsideTransaction,
  transactionControl,
} from "./rules.ts";

/** A statement as it will be run, and what is known about it. */
export interface ScriptStatement {
  readonly sql: string;
  readonly line: number;
  readonly locks: readonly Lock[];
  readonly losses: readonly Loss[];
  /** What it does to whole tables, as far as its text tells; in a plan: as the catalogue tells. */
  readonly works: readonly Work[];
  /** What it makes, takes away and needs. */
  readonly effects: Effects;
  /** What it drops without CASCADE. */
  readonly drops: readonly Drop[];
  /** Columns that it wants to have no nulls. */
  readonly requires: readonly RequiredColumn[];
  /** Why its effect cannot be known from its text. */
  readonly opaque: string | undefined;
  /** Whether it may put rows into a table, or give a table another name: what was known to be empty may not be any more. */
  readonly fills: boolean;
  /** What keeps a transaction with it from being prepared for two-phase commit. */
  readonly hindrances: readonly Hindered[];
  /** Set when it cannot run inside a transaction as it was written. */
  readonly outside: Outside | undefined;
  /** Label that it adds to an enum: one that later statements of the same transaction may not use. */
  readonly addsLabel: { readonly type: string; readonly label: string } | undefined;
  /** The index that it builds; its name is undefined when the server is to find one. */
  readonly makesIndex: { readonly index: string | undefined; readonly table: TableName } | undefined;
  /** The partition that it takes from a table. */
  readonly detaches: { readonly partition: TableName; readonly table: TableName } | undefined;
  /** SET and the like: what comes after it depends on it. */
  readonly makesSetting: boolean;
}

/** A statement that PostgreSQL runs in no transaction. */
export interface Outside {
  /** E.g. `CREATE INDEX CONCURRENTLY`. */
  readonly reason: string;
  /** As it was written. */
  readonly sql: string;
  /** Whether the statement's `sql` is a plain form that does the same inside a transaction, under a stronger lock. */
  readonly hasPlainForm: boolean;
}

/** SQL of one direction of a migration, ready to run inside a transaction of ours. */
export interface Script {
  readonly statements: readonly ScriptStatement[];
  /** Whether settings it makes have to be reset before the next step. */
  readonly changesSettings: boolean;
  /** What was changed about the text, for people. */
  readonly notes: readonly string[];
}

/**
 * Understands SQL of a migration and makes it fit to run inside one transaction with others: BEGIN and COMMIT that only
 * wrap are taken out, CONCURRENTLY becomes the plain form; what has none is marked. `where` names it, e.g.
 * `meal_planner 23 (down)`. Throws Refusals `MIGRATION_…`, `SCHEMA_TRANSACTION_CONTROL`, `SCHEMA_CHANGES_ROLE`.
 * Needs `loadParser()` first.
 */
export function understand(sql: string, where: string): Script {
  const known = understood.get(sql);
  if (known !== undefined) return known;
  const script = read(sql, where);
  remembered += sql.length;
  if (remembered > mostRemembered) {
    understood.clear();
    remembered = sql.length;
  }
  understood.set(sql, script);
  return script;
}

/** By text: a run plans several times, and parsing thousands of statements takes as long as running them. */
const understood = new Map<string, Script>();
let remembered = 0;

/** Characters of SQL whose scripts are kept in memory. */
const mostRemembered = 4_000_000;

function read(sql: string, where: string): Script {
  const all = parseScript(sql, where);
  const notes: string[] = [];
  const statements = withoutBrackets(all, where, notes);
  return {
    statements: statements.map((statement) => runnable(statement, where)),
    changesSettings: statements.some(({ node }) => changesSettings(node) || opaqueness(node) !== undefined),
    notes,
  };
}

/**
 * Takes BEGIN … COMMIT pairs out. They would end our transaction: what came before would stay when what comes after
 * fails. Pairs that are closed in order can go, as all they asked for is a transaction; anything else is refused.
 */
function withoutBrackets(statements: readonly Statement[], where: string, notes: string[]): Statement[] {
  let open = false;
  let pairs = 0;
  const kept: Statement[] = [];
  for (const statement of statements) {
    const control = transactionControl(statement.node);
    if (control === undefined || (control.kind === "savepoint" && control.plain)) {
      kept.push(statement);
      continue;
    }
    const opens: boolean = control.kind === "begin" && !open;
    const closes: boolean = control.kind === "commit" && open;
    if (!control.plain || !(opens || closes)) throw controlRefusal(statement, where);
    open = opens;
    if (closes) pairs++;
  }
  if (open) throw controlRefusal(statements.at(-1), where);
  if (pairs > 0)
    notes.push(`its own BEGIN and COMMIT are left out (${pairs} ${pairs === 1 ? "pair" : "pairs"})`);
  return kept;
}

function controlRefusal(statement: Statement | undefined, where: string): Refusal {
  return new Refusal({
    code: "SCHEMA_TRANSACTION_CONTROL",
    found: `${where}, line ${statement?.line ?? 1}: ${oneLine(statement?.sql ?? "")} ends or opens a transaction of its own, so nothing around it would be atomic.`,
    untouched: "Nothing was changed.",
    next: "Take the transaction control out of the file: a migration runs inside a transaction anyway.",
  });
}

function runnable(statement: Statement, where: string): ScriptStatement {
  if (changesRole(statement.node)) {
    throw new Refusal({
      code: "SCHEMA_CHANGES_ROLE",
      found: `${where}, line ${statement.line}: ${oneLine(statement.sql)} leaves the owner role that migrations run as.`,
      untouched: "Nothing was changed.",
      next: "Take the statement out; give ownership with ALTER … OWNER TO where another owner is meant.",
    });
  }
  const outside = outsideTransaction(statement.node);
  if (outside === undefined) return described(statement.sql, statement);
  const { reason } = outside;
  const plain = outside.concurrently ? withoutKeyword(statement.sql, "concurrently") : undefined;
  const node = plain === undefined ? undefined : parseScript(plain, where)[0]?.node;
  if (plain === undefined || node === undefined || outsideTransaction(node) !== undefined) {
    return described(statement.sql, statement, { reason, sql: statement.sql, hasPlainForm: false });
  }
  return described(plain, { ...statement, node }, { reason, sql: statement.sql, hasPlainForm: true });
}

function described(
  sql: string,
  { line, node }: { line: number; node: Node },
  outside?: Outside,
): ScriptStatement {
  return {
    sql,
    line,
    locks: locksOf(node),
    losses: lossesOf(node),
    works: worksOf(node),
    effects: effectsOf(node),
    drops: dropsOf(node),
    requires: requiredColumns(node),
    opaque: opaqueness(node),
    fills: fills(node),
    hindrances: hindrancesOf(node),
    outside,
    addsLabel: addedLabel(node),
    makesIndex: builtIndex(node),
    detaches: detachedPartition(node),
    makesSetting: makesSetting(node),
  };
}

/** The beginning of a statement on one line, for messages. */
function oneLine(sql: string): string {
  const line = sql.replaceAll(/\s+/g, " ");
  return `\`${line.length > 80 ? `${line.slice(0, 77)}…` : line}\``;
}
