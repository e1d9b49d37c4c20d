import { Refusal } from "../../../settings/refusal.ts";
import type { Dependent } from "../dependents-facts.ts";
import type { DatabasePlan } from "../plan.ts";
import type { Drop } from "../sql/drops.ts";
import { showName } from "../sql/names.ts";
import type { ScriptStatement } from "../sql/script.ts";
import { wordsIn } from "../sql/words.ts";
import type { Step } from "../steps.ts";

type Chain = Pick<DatabasePlan, "database" | "steps">;

/**
 * What the reversals of a plan drop without CASCADE, in their order, up to the first statement after which things may have another
 * name or be gone without having been named, and without what the chain itself has made by then.
 */
export function dropsIn(plan: Chain): Drop[] {
  return [...certain(plan)].flatMap(({ drops }) => drops);
}

interface Dropping {
  readonly step: Step;
  readonly statement: ScriptStatement;
  readonly drops: readonly Drop[];
  /** Names that the chain has mentioned up to here, lower case. */
  readonly mentioned: ReadonlySet<string>;
}

function* certain({ steps }: Chain): Generator<Dropping> {
  const made = new Set<string>();
  const mentioned = new Set<string>();
  for (const step of steps) {
    if (step.direction === "forward") return;
    for (const statement of step.script.statements) {
      const { effects, opaque, sql, drops } = statement;
      for (const word of wordsIn(sql)) mentioned.add(word);
      const old = drops.filter((drop) => !made.has(plain(drop.name)));
      if (old.length > 0) yield { step, statement, drops: old, mentioned };
      if (opaque !== undefined || effects.unclear) return;
      for (const { kind, name } of effects.made)
        if (kind !== "column") made.add(name.replace(/^public\./, ""));
    }
  }
}

/**
 * Refuses `SCHEMA_DEPENDENTS`: a reversal drops what something else depends on, which only the catalogue knows: a view, a foreign
 * key, a policy, made by hand or by something outside of the chain. `facts` are of `dropsIn(plan)`. What the chain names before is
 * taken to be gone by then; PostgreSQL has the last word. Pure.
 */
export function refuseDependents(plan: Chain, facts: readonly (readonly Dependent[])[]): void {
  let next = 0;
  for (const { step, statement, drops, mentioned } of certain(plan)) {
    const last = next + drops.length - 1;
    for (const drop of drops) {
      const left = (facts[next++] ?? []).filter(
        ({ name, goesWith }) => !mentioned.has(name.toLowerCase()) && !goesWith.some((n) => n <= last),
      );
      if (left.length > 0) throw refusal(plan.database, step, statement, drop, left);
    }
  }
}

const shown = 8;

function refusal(
  database: string,
  { where, version }: Step,
  { line }: ScriptStatement,
  drop: Drop,
  dependents: readonly Dependent[],
): Refusal {
  const names = dependents.slice(0, shown).map(({ what }) => what);
  const more = dependents.length > shown ? ` and ${dependents.length - shown} more` : "";
  const { kind, name, part, takes } = drop;
  const args = takes === undefined ? "" : `(${takes.map(typeShown).join(", ")})`;
  const dropped =
    part === undefined
      ? `${kind === "relation" ? "" : `${kind} `}${showName(name)}${args}`
      : `${kind} ${part} of ${showName(name)}`;
  const statements = dependents.flatMap(({ drop: sql }) => sql ?? []);
  const how = statements.length === 0 ? "" : `:\n${statements.map((sql) => `  ${sql}`).join("\n")}`;
  return new Refusal({
    code: "SCHEMA_DEPENDENTS",
    found: `${where}, line ${line}: it drops ${dropped}, and what it does not drop depends on that: ${names.join(", ")}${more}.`,
    untouched: "Nothing was stopped or changed.",
    next: `Drop in ${database} what nobody needs without it, then run \`pulumi up\` again${how}\nWhat was made by a migration: put its DROP into the stored reversal (column down of rollback.migration, version ${version}).`,
  });
}

/** `"pg_catalog"."int4"` as people write it. */
function typeShown(type: string): string {
  return type.replace(/^"pg_catalog"\./, "").replaceAll('"', "");
}

function plain(name: Drop["name"]): string {
  return showName(name).replace(/^public\./, "");
}
