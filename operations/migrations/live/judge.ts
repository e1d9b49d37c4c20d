import { createHash } from "node:crypto";
import { archiveTime } from "../limits.ts";
import type { DatabasePlan } from "../plan.ts";
import type { SchemaPlan } from "../schema-plan.ts";
import { quoteName, showName } from "../sql/names.ts";
import { parseScript } from "../sql/parse.ts";
import type { ScriptStatement } from "../sql/script.ts";
import type { Step } from "../steps.ts";
import { disturbancesOf } from "./disturbs.ts";
import { constraintKey } from "./facts.ts";
import type { LiveFacts } from "./facts.ts";
import { workOf } from "./work.ts";

/** Whoever works with the databases while their schema changes. */
export interface Serving {
  /** E.g. `1.2.1`, or a role. */
  readonly name: string;
  /** Whether it is declared to run on the version to which a database goes. */
  readonly runsOn: (database: string, version: string) => boolean;
}

/** Whether a schema change may meet requests. */
export interface LiveVerdict {
  /** Why it may not, a line for each reason; empty: it may. */
  readonly because: readonly string[];
  /** Of the steps that were judged, to be compared with those that are carried out. */
  readonly signature: string;
}

export interface LiveQuestion {
  readonly serving: readonly Serving[];
  readonly facts: ReadonlyMap<string, LiveFacts>;
  /** Longest time that locks may be held by reckoning, milliseconds. */
  readonly lockMs: number;
}

/** Bytes of a table a millisecond that reading or rewriting it is reckoned with: 20 MB/s, as for indexes. */
const bytesPerMs = 20_000;

/**
 * Judges a schema change by what it does to releases that serve meanwhile, and by how long it would keep their queries
 * waiting. A step is taken for harmless only when that is known; what takes something away needs every release that serves
 * to be declared `compatible` with the version gone to. Pure; needs `loadParser()`.
 */
export function judgeLive(plan: SchemaPlan, question: LiveQuestion): LiveVerdict {
  const changed = plan.databases.filter(({ steps }) => steps.length > 0);
  const several =
    changed.length > 1
      ? [
          `${changed.map(({ database }) => database).join(" and ")} change together: were this program killed between their commits, locks would stay with nobody held`,
        ]
      : [];
  return {
    because: [...several, ...changed.flatMap((each) => judgeDatabase(each, question))],
    signature: signatureOf(plan),
  };
}

/** What tells plans apart: every statement of every step, in order. */
export function signatureOf({ databases }: SchemaPlan): string {
  const steps = databases.flatMap(({ database, steps: all }) =>
    all.map(({ version, direction, alone, script }) => [
      database,
      version,
      direction,
      alone ?? "",
      ...script.statements.map(({ sql }) => sql),
    ]),
  );
  return createHash("sha256").update(JSON.stringify(steps)).digest("hex");
}

function judgeDatabase(plan: DatabasePlan, { serving, facts, lockMs }: LiveQuestion): string[] {
  const known = facts.get(plan.database);
  if (known === undefined) return [`${plan.database} was not looked at`];
  const undeclared = serving.filter(({ runsOn }) => !runsOn(plan.database, plan.to)).map(({ name }) => name);
  const judged = plan.steps.map((step) => judgeStep(step, known, undeclared, plan.to, lockMs));
  const because = judged.flatMap((step) => step.because);
  const total = judged.reduce((sum, { ms }) => sum + ms, 0);
  return because.length === 0 && total > lockMs
    ? [`${plan.database}: all steps together hold locks for ${about(total, lockMs)}`]
    : because;
}

/** Why a step may not meet requests, and the milliseconds that it works under its locks. */
function judgeStep(
  step: Step,
  known: LiveFacts,
  undeclared: readonly string[],
  to: string,
  lockMs: number,
): { because: string[]; ms: number } {
  const { where, alone, database } = step;
  if (alone !== undefined) return { because: [`${where}: ${alone}; it is committed by itself`], ms: 0 };
  const archive = archiveTime({ database, steps: [step] }, known.sizes);
  const because =
    undeclared.length === 0 ? [] : harmsOf(step, known).map((harm) => `${harm}; ${not(undeclared, to)}`);
  if (archive > lockMs) because.push(`keeping what it destroys takes ${about(archive, lockMs)} under lock`);
  let ms = archive;
  for (const statement of step.script.statements) {
    const work = workUnder(statement, where);
    if (work === "unknown") because.push(`line ${statement.line}: how long it takes cannot be known`);
    for (const { table, what } of work === "unknown" ? [] : work) {
      const took = (known.sizes.get(quoteName(table))?.bytes ?? 0) / bytesPerMs;
      if (took > lockMs) because.push(`${what} ${showName(table)}, ${about(took, lockMs)} under lock`);
      ms += took;
    }
  }
  return { because: because.map((why) => `${where}: ${why}`), ms };
}

function workUnder(
  { sql, opaque }: ScriptStatement,
  where: string,
): { table: Parameters<typeof showName>[0]; what: string }[] | "unknown" {
  if (opaque !== undefined) return "unknown";
  const works = parseScript(sql, where).map(({ node }) => workOf(node));
  if (works.some(({ kind }) => kind === "unknown")) return "unknown";
  return works.flatMap((work) =>
    work.kind === "tables" ? work.tables.map((table) => ({ table, what: work.what })) : [],
  );
}

function harmsOf({ script, where }: Step, { enforcing, binding }: LiveFacts): string[] {
  return script.statements.flatMap(({ sql }) =>
    parseScript(sql, where).flatMap(({ node }) =>
      disturbancesOf(node).flatMap((doubt) => {
        if (doubt.kind === "certain") return [doubt.why];
        if ("index" in doubt)
          return enforcing.has(quoteName(doubt.index))
            ? [`takes the unique index ${showName(doubt.index)} away`]
            : [];
        return binding.has(constraintKey(doubt.table, doubt.constraint))
          ? [`takes the constraint ${showName(doubt.table)}.${doubt.constraint} away`]
          : [];
      }),
    ),
  );
}

function not(releases: readonly string[], version: string): string {
  return `${releases.join(", ")} ${releases.length === 1 ? "is" : "are"} not declared compatible with ${version}`;
}

function about(ms: number, allowed: number): string {
  return `about ${time(ms)} (more than ${time(allowed)})`;
}

function time(ms: number): string {
  return ms < 1000 ? `${Math.ceil(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
