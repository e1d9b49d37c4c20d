import type { EngineEvent } from "../../test/support/stack-events.ts";

/** An event with the moment at which it was read, in milliseconds of the process's clock. */
export interface Timed {
  readonly at: number;
  readonly event: EngineEvent;
}

/** Milliseconds that each step of the runbook took, in the order in which they began. */
export interface StepTime {
  readonly step: string;
  readonly ms: number;
}

/** All steps in the order of the runbook, so that runs of different kinds can be laid side by side. */
export const runbook = [
  "until the first step",
  "preflight",
  "create containers",
  "ready",
  "flags",
  "backup",
  "fence",
  "schema",
  "create roles",
  "caches",
  "containers",
  "traffic",
  "verification",
  "delete roles",
  "delete containers",
] as const;

/** `times` in the order of the runbook, 0 for what the run did not need; what the runbook does not know comes last. Pure. */
export function laidOut(times: readonly StepTime[]): StepTime[] {
  const known: readonly string[] = runbook;
  return [
    ...known.map((step) => ({ step, ms: times.find((time) => time.step === step)?.ms ?? 0 })),
    ...times.filter(({ step }) => !known.includes(step)),
  ];
}

/** The effects, the containers and the roles that are made, and what comes before the first of them. Pure. */
export function stepTimes(started: number, events: readonly Timed[]): StepTime[] {
  const begun = new Map<string, number>();
  const times: StepTime[] = [];
  let first: number | undefined;
  for (const { at, event } of events) {
    if (event.kind !== "step" || event.op === "same") continue;
    const step = nameOf(event);
    if (step === undefined) continue;
    if (event.phase === "begins") {
      first ??= at;
      begun.set(step, Math.min(begun.get(step) ?? at, at));
      continue;
    }
    const from = begun.get(step);
    if (from === undefined) continue;
    const known = times.findIndex((time) => time.step === step);
    if (known === -1) times.push({ step, ms: at - from });
    else times[known] = { step, ms: at - from };
  }
  return first === undefined ? [] : [{ step: "until the first step", ms: first - started }, ...times];
}

/** Several containers or roles count as one step, from the first's beginning to the last's end. */
function nameOf({ type, op, name }: EngineEvent & { kind: "step" }): string | undefined {
  if (type === "pulumi:index:Stash") return name;
  const what = type === "docker:index/container:Container" ? "containers" : undefined;
  const kind = type === "postgresql:index/role:Role" ? "roles" : what;
  if (kind === undefined) return undefined;
  return op === "create" || op === "delete" ? `${op} ${kind}` : undefined;
}

/** Milliseconds that requests were held, from what the program says at its end; 0 when it held none. Pure. */
export function heldMs(lines: readonly string[]): number {
  for (const line of lines) {
    const seconds = /requests were held for ([\d.]+) s/.exec(line)?.[1];
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  return 0;
}
