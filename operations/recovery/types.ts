import type { BaseBackup } from "../archive/info.ts";
import type { CompiledTarget } from "./compile.ts";
import type { TableLoss } from "./losses.ts";
import type { Writes } from "./read.ts";
import type { Branch, Stand } from "./segments.ts";
import type { Ending } from "./wal.ts";

/** What was known of the WAL when a move was planned, to go on from behind the fence. */
export interface Seen {
  readonly way: readonly Branch[];
  /** Position of the last record that was read. */
  readonly until: bigint;
  /** Rows written by transactions that are left behind, or had not ended yet. */
  readonly writes: readonly Writes[];
}

/** A recovery that can be carried out, worked out to the record. */
export interface RecoveryPlan {
  /** The same for the same place in the same WAL; kept on the new volume. */
  readonly id: string;
  readonly volume: string;
  readonly from: string;
  readonly backup: BaseBackup;
  readonly target: CompiledTarget;
  /** The timeline that leads there, always a number. */
  readonly timeline: number;
  /** For the target's own segment, where that was never archived. */
  readonly standIn: Stand | undefined;
  /** Committed transactions that are left behind. */
  readonly lost: CompiledTarget["lost"];
  readonly losses: readonly TableLoss[];
  /** WAL behind the target that is missing or damaged; what was written there and later is not counted in `lost` and `losses`. */
  readonly gap: string | undefined;
  readonly seen: Seen;
  /** Bytes of WAL to replay, which is what takes the time. */
  readonly walBytes: number;
  /** Version of each database's schema at the target; undefined: none, or no such database. */
  readonly schema: ReadonlyMap<string, string | undefined>;
  /** Versions of the schemas on the volume recovered from, for the way back to it. */
  readonly left: ReadonlyMap<string, string | undefined>;
  /** Server settings that recovery needs at least, as the source had them. */
  readonly parameters: ReadonlyMap<string, number>;
}

/** Going to a volume that already holds this cluster: the undo of a recovery, or the undo of an undo. */
export interface UndoPlan {
  readonly volume: string;
  /** Volume in use. */
  readonly from: string;
  /** Timeline that the volume was left on. */
  readonly timeline: number;
  /** Where the two part. */
  readonly fork: bigint;
  readonly lost: readonly Ending[];
  readonly losses: readonly TableLoss[];
  readonly seen: Seen;
  readonly schema: ReadonlyMap<string, string | undefined>;
  /** Versions of the schemas on the volume in use, for the way back to it. */
  readonly left: ReadonlyMap<string, string | undefined>;
}

/** The server goes to another volume: a new one that is recovered into, or one that has been in use before. */
export type Move =
  | { readonly kind: "recovery"; readonly plan: RecoveryPlan }
  | { readonly kind: "undo"; readonly plan: UndoPlan };

/**
 * A recovery or an undo that was killed has opened a timeline, and the server has stayed where it was: the archive knows a newer
 * timeline that the server does not come from, and a plain restore would follow that one.
 */
export interface Abandoned {
  /** The timeline that the server writes. */
  readonly own: number;
  /** Newest one in the archive. Timelines are numbered as they are opened: none that the server comes from is newer than its own. */
  readonly newest: number;
}
