import { z } from "zod";
import { docker } from "../docker/run.ts";
import { Refusal } from "../../settings/refusal.ts";

const statusSchema = z.object({
  mode: z.enum(["open", "hold", "closed"]),
  then: z.enum(["open", "closed"]),
  owner: z.string(),
  until: z.number(),
  hold: z.number(),
  heldMax: z.number(),
  epoch: z.number(),
  held: z.number(),
  inFlight: z.number(),
});

const answerSchema = z.object({
  ok: z.boolean(),
  code: z.string().optional(),
  found: z.string().optional(),
  status: statusSchema,
});

/**
 * What the gate says of itself. `until`: end of the lease by the door's clock, epoch milliseconds, 0 when nothing is
 * held; `then`: what it becomes at that moment; `held`: requests that wait now; `inFlight`: requests that passed and are
 * not answered yet (those of services among themselves never pass the gate and are not in it); `epoch` counts changes.
 */
export type GateStatus = z.infer<typeof statusSchema>;

/** A change of the gate, as `gate` in the door's container takes it. Milliseconds throughout. */
export type GateChange =
  | {
      readonly do: "hold";
      /** Names the run; a later hold takes over, and this one's later changes are refused. */
      readonly owner: string;
      readonly lease: number;
      readonly then: "open" | "closed";
      /** Longest time one request waits. */
      readonly hold: number;
      /** Most requests that wait at once. */
      readonly held: number;
      /** Requests a second that leave the queue when the gate opens (default 2000). */
      readonly rate?: number;
    }
  | { readonly do: "renew"; readonly owner: string }
  | { readonly do: "expireInto"; readonly owner: string; readonly then: "open" | "closed" }
  | { readonly do: "open" | "close"; readonly owner?: string };

/** The gate's status, by one exec in the door's container. */
export async function gateStatus(door: string): Promise<GateStatus> {
  return parse(door, await docker(["exec", door, "gate", "status"])).status;
}

/**
 * Changes the gate; it is on disk and in force for every new request when this returns.
 * Throws a Refusal `LEASE_LOST` when the change names an owner that no longer holds, `GATE_FAILED` when the door could
 * not store it (e.g. its disk is full); the gate is then as it was.
 */
export async function changeGate(door: string, change: GateChange, timeoutMs = 15_000): Promise<GateStatus> {
  const answer = parse(
    door,
    await docker(["exec", "-i", door, "gate"], { input: JSON.stringify(change), timeoutMs }),
  );
  if (answer.ok) return answer.status;
  throw new Refusal({
    code: answer.code ?? "GATE_FAILED",
    found: `the gate of ${door} did not take "${change.do}": ${answer.found ?? "no reason given"}.`,
    untouched: `The gate is ${answer.status.mode}.`,
    next: `docker exec ${door} gate status`,
  });
}

/** Lets every request pass, whatever the gate was; also the end of a stack's first start. */
export async function openGate(door: string): Promise<GateStatus> {
  return changeGate(door, { do: "open" });
}

/** Answers every request with 503 and Retry-After until it is opened again. */
export async function closeGate(door: string): Promise<GateStatus> {
  return changeGate(door, { do: "close" });
}

function parse(door: string, text: string): z.infer<typeof answerSchema> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new Error(`the gate of ${door} gave no JSON: ${text.slice(0, 200)}`, { cause });
  }
  return answerSchema.parse(answer);
}
