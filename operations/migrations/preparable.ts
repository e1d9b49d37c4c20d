import pg from "pg";
import { Refusal } from "../../settings/refusal.ts";
import type { DatabasePlan } from "./plan.ts";
import type { ProgramFacts } from "./preparable-facts.ts";
import { parseScript } from "./sql/parse.ts";
import { calledFunctions, hindrancesIn, madeFunction, triggerFunction } from "./sql/preparing.ts";
import type { Hindered, Hindrance } from "./sql/preparing.ts";
import type { TableName } from "./types.ts";

/** A database that changes together with others. */
export interface Together {
  readonly plan: DatabasePlan;
  /** Setting `max_prepared_transactions`. */
  readonly maxPrepared: number;
  /** Prepared transactions of others on the same server. */
  readonly prepared: number;
}

/** Whether a database's transaction may be prepared, as far as is known. */
export function isPreparable(plan: DatabasePlan): boolean {
  return (plan.hindrances ?? statementHindrances(plan)).length === 0;
}

/** Tables whose triggers run because a plan writes to them. */
export function writtenTables(plan: DatabasePlan): TableName[] {
  return plan.steps.flatMap(({ script }) =>
    script.statements.flatMap(({ locks }) =>
      locks.filter(({ mode }) => mode === "ROW EXCLUSIVE").map(({ table }) => table),
    ),
  );
}

/** The plan with everything that keeps its transaction from being prepared, what only triggers and functions do included. Pure. */
export function withHindrances(plan: DatabasePlan, facts: ProgramFacts): DatabasePlan {
  return { ...plan, hindrances: [...statementHindrances(plan), ...programHindrances(plan, facts)] };
}

function statementHindrances({ steps }: DatabasePlan): Hindered[] {
  return effective(
    steps.flatMap(({ where, script }) =>
      script.statements.flatMap(({ hindrances, line }) =>
        hindrances.map(({ kind, what }) => ({ kind, what: `${where}, line ${line}: ${what}` })),
      ),
    ),
  );
}

/** Functions that the steps call, that triggers of written tables call, and that those call in turn. */
function programHindrances({ database, steps }: DatabasePlan, facts: ProgramFacts): Hindered[] {
  const nodes = steps.flatMap(({ where, script }) =>
    script.statements.flatMap(({ sql }) => parseScript(sql, where).map(({ node }) => node)),
  );
  const bodies = new Map(facts.functions.map(({ name, body }) => [name, body]));
  for (const node of nodes) {
    const made = madeFunction(node);
    if (made !== undefined) bodies.set(made.name, made.body);
  }
  const starts = new Map<string, string>();
  for (const { function: name, trigger } of facts.triggers) starts.set(name, trigger);
  for (const node of nodes) {
    const triggered = triggerFunction(node);
    if (triggered !== undefined) starts.set(triggered, `a trigger with ${triggered}()`);
    for (const name of calledFunctions(node)) starts.set(name, `${name}()`);
  }
  const found: Hindered[] = [];
  for (const [name, by] of starts) {
    for (const { kind, what } of reached(name, bodies))
      found.push({ kind, what: `${database}: ${by} runs ${what}` });
  }
  return effective(found);
}

function reached(start: string, bodies: ReadonlyMap<string, string>): Hindered[] {
  const seen = new Set<string>();
  const open = [start];
  const found: Hindered[] = [];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const body = bodies.get(name);
    if (body === undefined || seen.has(name)) continue;
    seen.add(name);
    found.push(...hindrancesIn(body));
    const words = new Set(body.toLowerCase().match(/\w+/g) ?? []);
    open.push(...[...bodies.keys()].filter((other) => words.has(other)));
  }
  return found;
}

/** Locks hinder only where both kinds are taken. */
function effective(found: readonly Hindered[]): Hindered[] {
  const kinds = new Set(found.map(({ kind }) => kind));
  const both = kinds.has("session lock") && kinds.has("transaction lock");
  return found.filter(({ kind }) => both || (kind !== "session lock" && kind !== "transaction lock"));
}

const refusals: Readonly<Record<Hindrance, { readonly code: string }>> = {
  notify: { code: "SCHEMA_PREPARE_NOTIFY" },
  temporary: { code: "SCHEMA_PREPARE_TEMPORARY" },
  cursor: { code: "SCHEMA_PREPARE_CURSOR" },
  snapshot: { code: "SCHEMA_PREPARE_SNAPSHOT" },
  "session lock": { code: "SCHEMA_PREPARE_LOCK" },
  "transaction lock": { code: "SCHEMA_PREPARE_LOCK" },
};

/** PostgreSQL's functions that refuse to prepare; unlike its messages they have one name in every language. */
const routines: Readonly<Partial<Record<string, Hindrance>>> = {
  AtPrepare_Notify: "notify",
  PreCommit_Portals: "cursor",
  CheckForSessionAndXactLocks: "session lock",
  AtPrepare_Locks: "session lock",
};

/**
 * The refusal for a transaction that PostgreSQL did not prepare, for something that neither texts nor catalogue told beforehand;
 * any other error as it is.
 */
export function asPrepareError({ database }: DatabasePlan, error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const { routine = "", code: state, message } = error;
  const full = routine === "MarkAsPreparing";
  const kind =
    routines[routine] ??
    (routine === "PrepareTransaction" ? (/snapshot/i.test(message) ? "snapshot" : "temporary") : undefined);
  if (kind === undefined && !full) return error;
  const { code } =
    kind !== undefined
      ? refusals[kind]
      : state === "55000"
        ? { code: "SCHEMA_TWO_PHASE_OFF" }
        : { code: "SCHEMA_TWO_PHASE_FULL" };
  return new Refusal({
    code,
    found: `the transaction of ${database} cannot be prepared: ${message}.`,
    untouched: "Every database was rolled back; all are as they were before this run.",
    next: full
      ? "End prepared transactions that nobody needs (SELECT * FROM pg_prepared_xacts), or set max_prepared_transactions higher."
      : "Change one database after the other, or take it out of the migration.",
    cause: error,
  });
}

/**
 * Refuses, before anything stops, databases that cannot be committed together: `SCHEMA_TWO_PHASE_OFF`, `SCHEMA_TWO_PHASE_FULL`, and
 * when more than one of them does what cannot be prepared (one may: it commits last, in one phase) `SCHEMA_PREPARE_…`, or
 * `SCHEMA_NOT_PREPARABLE` when they do different things.
 */
export function refuseTwoPhase(changed: readonly Together[]): void {
  const [first] = changed;
  if (first === undefined || changed.length < 2) return;
  const needed = changed.length - 1;
  const { maxPrepared, prepared } = first;
  const together = `${changed.length} databases change together, which needs`;
  if (maxPrepared < needed) {
    throw refusal(
      "SCHEMA_TWO_PHASE_OFF",
      `${together} max_prepared_transactions ≥ ${needed}; the server has ${maxPrepared}.`,
      "Set max_prepared_transactions in rollback:cluster → settings (it needs a restart of PostgreSQL).",
    );
  }
  if (maxPrepared - prepared < needed) {
    throw refusal(
      "SCHEMA_TWO_PHASE_FULL",
      `${together} ${needed} prepared transaction${needed === 1 ? "" : "s"}; ${prepared} of the ${maxPrepared} that the server takes are in use.`,
      "End those that nobody needs (SELECT * FROM pg_prepared_xacts; ROLLBACK PREPARED …), or set max_prepared_transactions higher.",
    );
  }
  const hindered = changed
    .filter(({ plan }) => !isPreparable(plan))
    .map(({ plan }) => plan.hindrances ?? statementHindrances(plan));
  if (hindered.length < 2) return;
  const all = hindered.flat();
  const kinds = new Set(all.map(({ kind }) => refusals[kind].code));
  const [only] = kinds;
  const { code } =
    kinds.size === 1 && only !== undefined ? { code: only } : { code: "SCHEMA_NOT_PREPARABLE" };
  throw refusal(
    code,
    `more than one database does what two-phase commit does not take: ${all.map(({ what }) => what).join("; ")}.`,
    "Change one database after the other, or take it out of all but one.",
  );
}

function refusal(code: string, found: string, next: string): Refusal {
  return new Refusal({ code, found, untouched: "Nothing was stopped or changed.", next });
}
