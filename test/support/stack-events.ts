import { z } from "zod";

const step = z.object({ metadata: z.object({ op: z.string(), urn: z.string(), type: z.string() }) });

/** One line of the engine's event log, reduced to what is asked of it. Times are seconds since the epoch. */
const eventShape = z.object({
  sequence: z.number(),
  timestamp: z.number(),
  resourcePreEvent: step.optional(),
  resOutputsEvent: step.optional(),
  resOpFailedEvent: step.optional(),
  diagnosticEvent: z
    .object({
      urn: z.string().optional(),
      message: z.string(),
      severity: z.string(),
      ephemeral: z.boolean().optional(),
    })
    .optional(),
  summaryEvent: z
    .object({ result: z.string().optional(), resourceChanges: z.record(z.string(), z.number()).nullish() })
    .optional(),
});

/** What the engine told at one instant. */
export type EngineEvent =
  /** `phase`: before the work of a step, after it, or after it failed. */
  | {
      readonly kind: "step";
      readonly phase: "begins" | "done" | "failed";
      readonly op: string;
      readonly type: string;
      readonly name: string;
    }
  /** A line of a resource's output; `about` is the resource's name, or the stack's own. */
  | {
      readonly kind: "line";
      readonly about: string | undefined;
      readonly text: string;
      readonly severity: string;
      readonly passing: boolean;
    }
  | {
      readonly kind: "summary";
      readonly result: string | undefined;
      readonly changes: Readonly<Record<string, number>>;
    };

/** Reads one line of the event log. Undefined: debugging output and what else is of no interest. Pure. */
export function readEvent(line: string): EngineEvent | undefined {
  const event = eventShape.parse(JSON.parse(line));
  for (const [phase, found] of [
    ["begins", event.resourcePreEvent],
    ["done", event.resOutputsEvent],
    ["failed", event.resOpFailedEvent],
  ] as const) {
    if (found === undefined) continue;
    const { op, urn, type } = found.metadata;
    return { kind: "step", phase, op, type, name: nameOf(urn) };
  }
  if (event.diagnosticEvent !== undefined && event.diagnosticEvent.severity !== "debug") {
    const { urn, message, severity, ephemeral = false } = event.diagnosticEvent;
    const about = urn === undefined || urn === "" ? undefined : nameOf(urn);
    return { kind: "line", about, text: message.trimEnd(), severity, passing: ephemeral };
  }
  if (event.summaryEvent !== undefined) {
    const { result, resourceChanges } = event.summaryEvent;
    return { kind: "summary", result, changes: resourceChanges ?? {} };
  }
  return undefined;
}

/** The last part of a URN: the name the program gave the resource. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** Matches the step of a resource, by default before its work; for `killAt` and `waitFor`. */
export function stepOf(
  name: string | RegExp,
  phase: "begins" | "done" | "failed" = "begins",
): (event: EngineEvent) => boolean {
  return (event) =>
    event.kind === "step" &&
    event.phase === phase &&
    (typeof name === "string" ? event.name === name : name.test(event.name));
}

/** Matches a line that a resource printed. */
export function lineOf(about: string, text: RegExp): (event: EngineEvent) => boolean {
  return (event) => event.kind === "line" && event.about === about && text.test(event.text);
}

/** Resources that a run touched, by operation, without those it left as they were. Pure. */
export function changedResources(
  events: readonly EngineEvent[],
): Readonly<Record<string, readonly string[]>> {
  const changed: Record<string, string[]> = {};
  for (const event of events) {
    if (event.kind !== "step" || event.phase !== "done" || event.op === "same") continue;
    (changed[event.op] ??= []).push(event.name);
  }
  return changed;
}

/** Lines that the resource `about` printed, in order. Pure. */
export function linesOf(events: readonly EngineEvent[], about: string): string[] {
  return events.flatMap((event) =>
    event.kind === "line" && event.about === about && !event.passing ? [event.text] : [],
  );
}
