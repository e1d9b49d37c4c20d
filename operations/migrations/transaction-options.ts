import type { ClientBase } from "pg";
import type { Step } from "./steps.ts";

/** How a run's transactions are carried out. */
export interface TransactionOptions {
  readonly release: string;
  /** Called once the transaction has begun; throws when this run may not write any more. */
  readonly guard: (client: ClientBase) => Promise<void>;
  /** Called when a step begins. */
  readonly onStep: (step: Step, number: number, of: number) => void;
  readonly signal: AbortSignal | undefined;
  /** Take the locks known beforehand without waiting at all. */
  readonly nowait: boolean;
  /** What to do when the catalogue after a reversal is not the one before the migration. */
  readonly onDifference: "refuse" | "warn";
  readonly warn: (text: string) => void;
}
