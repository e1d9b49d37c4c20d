import type { ServerObservation } from "../database/observe.ts";
import type { ObservedContainer } from "../docker/observe.ts";
import type { Abandoned, Move } from "../recovery/types.ts";
import type { ResetState } from "../reset/types.ts";
import type { FrontRecord } from "../traffic/front-config.ts";
import type { FrontState } from "../traffic/front.ts";
import type { TakeoverState } from "../takeover/state.ts";
import type { RecordedRelease } from "../preflight/record.ts";

/** State of one database as the program's start found it. */
export interface SchemaState {
  /** Newest applied version; undefined: none, or the database does not exist yet. */
  readonly version: string | undefined;
  /** All versions known from files and ledger, oldest first. */
  readonly order: readonly string[];
  readonly exists: boolean;
}

export interface ObserveOptions {
  /** An update, which may wake a server that does not run and finish what a killed run left prepared; a preview only looks. */
  readonly update: boolean;
  readonly say: (line: string) => void;
}

/** What PostgreSQL says of itself, or why it does not. */
export type ServerState =
  | { readonly answers: false; readonly why: string }
  | {
      readonly answers: true;
      readonly observation: ServerObservation;
      /** Names of settings whose value differs from the configured one, by what it takes to change them. */
      readonly settingsToReload: readonly string[];
      readonly settingsToRestart: readonly string[];
    };

/** What the gateway does at the moment. */
export interface GatewayState {
  readonly mode: "open" | "hold" | "closed" | "absent";
  /** What it is without a hold: a hold of a killed run ends in what that run told it to. */
  readonly rest: "open" | "closed";
  /** Hash of the routes in force; undefined: none. */
  readonly routes: string | undefined;
  /** What an nginx of the user's in front of it has; undefined: there is none. */
  readonly front?: FrontState | undefined;
  /** The nginx of the user's that the door was last put behind; undefined: none, as far as is known. */
  readonly formerFront?: FrontRecord | undefined;
}

/** Everything the program looked at once, at its start. Nothing in it is a secret. */
export interface World {
  /** The stack's output `initialised` of the last successful run. */
  readonly initialised: boolean;
  readonly containers: readonly ObservedContainer[];
  readonly subnet: string;
  readonly dataVolumeExists: boolean;
  /** Key: `service/release` of live and standby releases; value: local image id; missing: not here. */
  readonly images: ReadonlyMap<string, string>;
  readonly server: ServerState;
  /** Why the engine will make the server's container again; undefined: it will not. */
  readonly serverRemade: string | undefined;
  /** The server goes to another volume; `schema` is then that of the volume it goes to. Undefined: it stays. */
  readonly move?: Move | undefined;
  /** A timeline of a killed recovery that a restore by hand would follow; undefined: there is none, or the server moves. */
  readonly abandoned?: Abandoned | undefined;
  /** What is to be done about resets of a database; `schema` is then that of the database afterwards. Undefined: nothing, or nobody to ask. */
  readonly reset?: ResetState | undefined;
  /** What ran before this stack and has not made room yet; undefined: nothing, or it has. */
  readonly takeover?: TakeoverState | undefined;
  /** Key: database. */
  readonly schema: ReadonlyMap<string, SchemaState>;
  readonly gateway: GatewayState;
  readonly journal: FinishedRun | undefined;
}

/** The journal's row of the last finished run. */
export interface FinishedRun {
  readonly run: string;
  readonly revision: string;
  /** What the effects were given: compared as text. */
  readonly inputs: string;
  /** Key: release; its immutable part as it was first deployed. */
  readonly releases: ReadonlyMap<string, RecordedRelease>;
  /** Key: `service/release`; value: local image id it was pinned to. */
  readonly images: ReadonlyMap<string, string>;
  /** Weights of the releases that were live at the end of the run. */
  readonly weights: ReadonlyMap<string, number>;
  /** Container ids by name at the end of the run. */
  readonly containers: ReadonlyMap<string, string>;
  /** Keyed hashes each secret has had, oldest first, the last is the one in use. */
  readonly secrets: ReadonlyMap<string, readonly string[]>;
  readonly finishedAt: string;
  /** A later run was begun and did not finish: it failed, or was killed. */
  readonly overtaken: boolean;
}
