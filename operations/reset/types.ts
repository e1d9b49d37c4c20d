import type { SalvagedRow } from "../recovery/salvaged.ts";

/** Rows of one table of a dump. */
export interface DumpedTable {
  /** Quoted, with its schema. */
  readonly table: string;
  readonly rows: number;
  /** Bytes of the rows as text. */
  readonly bytes: number;
}

/** What is loaded from a dump. */
export interface DumpLoad {
  readonly name: string;
  /** Folder of the database within the dump. */
  readonly folder: string;
  /** Schema that the rows fit. */
  readonly version: string;
  readonly tables: readonly DumpedTable[];
}

/** What is loaded from a salvage pack. */
export interface PackLoad {
  readonly name: string;
  readonly rows: readonly SalvagedRow[];
}

/** What a reset is going to do; worked out before anything is. */
export interface ResetPlan {
  /** `anew`: from migrations and loaded rows; `back`: a database that an earlier reset kept. */
  readonly kind: "anew" | "back";
  readonly database: string;
  /** Name under which the database in use is kept. */
  readonly keepAs: string;
  /** Database that takes the name. */
  readonly successor: string;
  /** Bytes of the database that is kept. */
  readonly keptBytes: number;
  readonly versionBefore: string | undefined;
  /** Schema version afterwards. */
  readonly version: string;
  /** Versions that are applied to a new one, oldest first. */
  readonly migrations: readonly string[];
  readonly dump: DumpLoad | undefined;
  readonly pack: PackLoad | undefined;
  /** Whether all tables were asked for, or these only (as SQL writes them). */
  readonly tables: readonly string[] | undefined;
}

/** What a run's beginning found of resets. */
export interface ResetState {
  /** Undefined: none is asked for, or it is done. */
  readonly plan: ResetPlan | undefined;
  /** New databases that a killed reset has left half made. */
  readonly left: readonly string[];
  /** Databases of the stack that a killed reset has left closed. */
  readonly closed: readonly string[];
}
