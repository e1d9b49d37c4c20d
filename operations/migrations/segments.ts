import { emptyVersion } from "./plan.ts";
import type { DatabasePlan } from "./plan.ts";
import type { Step } from "./steps.ts";

/** What is committed at once: a transaction per database, all or none; or one step by itself, statement by statement. */
export type Segment =
  | { readonly kind: "together"; readonly plans: readonly DatabasePlan[] }
  | { readonly kind: "alone"; readonly plan: DatabasePlan; readonly step: Step };

/**
 * Cuts plans where steps run outside of a transaction. Everything up to the last such step of a database is committed by
 * itself; what comes after, and databases without such steps, change together at the end. Pure.
 */
export function segmentsOf(plans: readonly DatabasePlan[]): Segment[] {
  const before: Segment[] = [];
  const last: DatabasePlan[] = [];
  for (const plan of plans) {
    const pieces = piecesOf(plan);
    const cut = pieces.findLastIndex(({ alone }) => alone !== undefined) + 1;
    for (const { piece, alone } of pieces.slice(0, cut)) {
      before.push(
        alone === undefined
          ? { kind: "together", plans: [piece] }
          : { kind: "alone", plan: piece, step: alone },
      );
    }
    last.push(...pieces.slice(cut).map(({ piece }) => piece));
  }
  return last.length === 0 ? before : [...before, { kind: "together", plans: last }];
}

interface Piece {
  readonly piece: DatabasePlan;
  readonly alone: Step | undefined;
}

function piecesOf(plan: DatabasePlan): Piece[] {
  if (plan.steps.every((step) => step.alone === undefined)) return [{ piece: plan, alone: undefined }];
  const groups: Step[][] = [];
  const records = plan.adopt.length > 0 || plan.gone.length > 0 || plan.createTracking;
  // What is only recorded comes before anything is done, in a transaction of its own.
  if (records && plan.steps[0]?.alone !== undefined) groups.push([]);
  for (const [index, step] of plan.steps.entries()) {
    const joins = step.alone === undefined && index > 0 && plan.steps[index - 1]?.alone === undefined;
    if (joins) groups.at(-1)?.push(step);
    else groups.push([step]);
  }
  const lastReversal = plan.steps.findLast(({ direction }) => direction === "reverse");
  let applied = plan.applied;
  return groups.map((steps, number): Piece => {
    const was = applied;
    applied = after(applied, steps);
    const [alone] = steps.filter((step) => step.alone !== undefined);
    const { boundary } = plan;
    // What an earlier run has done of one step says nothing of another that is committed by itself, too.
    const resumes = boundary?.version === alone?.version && boundary?.direction === alone?.direction;
    const restores = lastReversal !== undefined && steps.includes(lastReversal);
    const piece: DatabasePlan = {
      ...plan,
      steps,
      from: was.at(-1),
      to: number === groups.length - 1 ? plan.to : (applied.at(-1) ?? emptyVersion(plan.applied)),
      applied: was,
      expected: restores ? plan.expected : undefined,
      halfDetached: number === 0 ? plan.halfDetached : undefined,
      boundary: resumes ? boundary : undefined,
      verify: restores ? plan.verify : undefined,
      ...(number === 0 ? {} : { adopt: [], gone: [], createTracking: false }),
    };
    return { piece, alone };
  });
}

function after(applied: readonly string[], steps: readonly Step[]): readonly string[] {
  const gone = new Set(
    steps.filter(({ direction }) => direction === "reverse").map(({ version }) => version),
  );
  const come = steps.filter(({ direction }) => direction === "forward").map(({ version }) => version);
  return [...applied.filter((version) => !gone.has(version)), ...come];
}
