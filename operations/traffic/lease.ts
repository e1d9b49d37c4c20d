import { randomUUID } from "node:crypto";
import { Refusal, isRefusal } from "../../settings/refusal.ts";
import { changeGate } from "./gate.ts";
import type { GateStatus } from "./gate.ts";

export interface HoldOptions {
  /** What the gate's status calls this run; made unique here (default `run`). */
  readonly owner?: string;
  /** Longest time one request waits, milliseconds. */
  readonly hold: number;
  /** Most requests that wait at once; the next one is answered 503. */
  readonly held: number;
  /** How long the hold outlives its last renewal, milliseconds (default 10000). Renewed at a third of it. */
  readonly leaseMs?: number;
  /** What the gate becomes if the lease expires, until `expireInto` changes it (default `open`). */
  readonly then?: "open" | "closed";
  /** Whether the engine that this run belongs to lives; once it does not, nothing is renewed any more. */
  readonly alive?: () => boolean;
}

/** A hold of the gate that lasts as long as this process renews it. */
export interface Lease {
  /** Milliseconds that the hold lasts at least, counted from before its last renewal; 0 when it is lost. */
  remaining(): number;
  /** Throws the Refusal `LEASE_LOST` when the hold is no longer certain. */
  assertHeld(): void;
  /** Sets what the gate becomes when the lease expires; also renews it. Throws `LEASE_LOST`. */
  expireInto(then: "open" | "closed"): Promise<void>;
  /** Answers requests with 503 at once instead of letting them wait, and so it stays if the lease expires. Throws `LEASE_LOST`. */
  refuse(): Promise<void>;
  /**
   * Opens the gate and ends the lease. Also after it expired, as long as no other run took the gate: `expired` then
   * tells what requests met meanwhile. Throws `LEASE_LOST` when another run holds it.
   */
  release(): Promise<{ readonly expired: boolean; readonly status: GateStatus }>;
  /** As `release`, for the way out of a failed run: the gate of another run is left alone instead of refused. */
  abort(): Promise<void>;
  /** Ends the lease in a gate that answers 503 until it is opened; the gate of another run is left alone. */
  close(): Promise<void>;
  /** Ends the renewals and leaves the gate to its lease's end. */
  letGo(): Promise<void>;
}

/**
 * Makes the door hold new requests, and renews that until it is released.
 *
 * Two runs cannot mix: each lease has its own name, the gate takes renewals and releases only from the one that
 * held last, and a renewal says nothing but "still there". So an exec that arrives late, after a release or from a
 * run that was killed, is refused and changes nothing.
 */
export async function openHold(door: string, options: HoldOptions): Promise<Lease> {
  const owner = `${options.owner ?? "run"}/${randomUUID()}`;
  const leaseMs = options.leaseMs ?? 10_000;
  const alive = options.alive ?? (() => true);
  let until = 0;
  let ended = false;
  let lost: Refusal | undefined;
  let timer: NodeJS.Timeout | undefined;

  // A renewal under way is never waited for: the gate takes it before a release and refuses it after one.
  let renewal: Promise<void> = Promise.resolve();
  const extend = async (change: Parameters<typeof changeGate>[1]): Promise<void> => {
    const asked = performance.now();
    try {
      await changeGate(door, change, leaseMs);
    } catch (error) {
      if (isRefusal(error, "LEASE_LOST")) lost = error;
      throw error;
    }
    // From before the exec: the door's own lease began later, so this side is never the longer one.
    until = Math.max(until, asked + leaseMs);
  };
  const remaining = (): number => (lost === undefined ? Math.max(0, until - performance.now()) : 0);

  const renew = async (): Promise<void> => {
    if (!alive()) {
      lost = leaseLost(door, "the engine that started this run is gone");
      return;
    }
    const renewed = await extend({ do: "renew", owner }).then(
      () => true,
      () => false,
    );
    // A renewal that failed is tried again soon; the lease ends by itself if none gets through.
    renewLater(renewed ? leaseMs / 3 : leaseMs / 10);
  };
  const renewLater = (delay: number): void => {
    if (ended || lost !== undefined) return;
    timer = setTimeout(() => void (renewal = renew()), delay);
    // The hold must not keep a program alive that has nothing else to do.
    timer.unref();
  };
  const end = (): void => {
    ended = true;
    clearTimeout(timer);
  };

  await extend({
    do: "hold",
    owner,
    lease: leaseMs,
    then: options.then ?? "open",
    hold: options.hold,
    held: options.held,
  });
  renewLater(leaseMs / 3);

  const release = async () => {
    const expired = remaining() === 0;
    end();
    return { expired, status: await changeGate(door, { do: "open", owner }) };
  };
  const unlessFollowed = async (work: Promise<unknown>): Promise<void> => {
    await work.catch((error: unknown) => {
      if (!isRefusal(error, "LEASE_LOST")) throw error;
    });
  };
  return {
    remaining,
    assertHeld: () => {
      if (lost !== undefined) throw lost;
      if (remaining() === 0) throw leaseLost(door, "no renewal got through in time");
    },
    refuse: () => extend({ do: "hold", owner, lease: leaseMs, then: "closed", hold: 0, held: 0 }),
    expireInto: (then) => extend({ do: "expireInto", owner, then }),
    release,
    abort: () => unlessFollowed(release()),
    close: async () => {
      end();
      await renewal;
      await unlessFollowed(changeGate(door, { do: "close", owner }));
    },
    letGo: () => {
      end();
      return renewal;
    },
  };
}

function leaseLost(door: string, why: string): Refusal {
  return new Refusal({
    code: "LEASE_LOST",
    found: `requests are no longer held at ${door}: ${why}.`,
    next: "pulumi up    # observes what is there and finishes or goes back",
  });
}
