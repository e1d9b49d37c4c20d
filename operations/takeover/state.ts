import type { ForeignServer } from "./foreign.ts";

/** What of the containers to take over from is still in the way. Holds no secret. */
export interface TakeoverState {
  /** Those that run, the server last. */
  readonly running: readonly { readonly name: string; readonly seconds: number }[];
  /** Ports of this machine that those publish. */
  readonly ports: readonly number[];
  /** The foreign server while it runs, and the newest migration applied in each database; undefined: it is stopped. */
  readonly server:
    { readonly facts: ForeignServer; readonly versions: ReadonlyMap<string, string | undefined> } | undefined;
  /** Whether the data still has to be prepared for the stack's own server. */
  readonly prepare: boolean;
}
