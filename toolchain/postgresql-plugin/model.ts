/** Stands for a value that is not known before another resource exists; only previews have such. */
export const unknown: unique symbol = Symbol("unknown");

/** What a property of the supported types can hold. Sets and lists hold strings only. */
export type Value = null | string | number | boolean | typeof unknown | readonly Element[];
export type Element = string | typeof unknown;
export type Properties = Readonly<Record<string, Value>>;

/** How the official plugin treats one property; names and rules as its schema has them. */
export interface Property {
  readonly kind: "string" | "integer" | "boolean" | "set" | "list";
  readonly required?: true;
  /** Filled in by the server when the program does not give it. */
  readonly computed?: true;
  /** A change needs a new resource. */
  readonly replace?: true;
  readonly default?: string | number | boolean;
  readonly secret?: true;
  /** Sent to the server, never kept in the state and never compared. */
  readonly writeOnly?: true;
  readonly deprecated?: true;
  /** Gets the resource's name and a random suffix when the program gives none. */
  readonly autonamed?: true;
  readonly minimum?: number;
  readonly oneOf?: readonly string[];
  readonly conflictsWith?: readonly string[];
  readonly requires?: string;
}

/** A resource as the server has it after an operation. */
export interface Existing {
  readonly id: string;
  /** Only what was read; the rest of the state stays as it was. */
  readonly properties: Properties;
}

/** One of the supported resource types. The operations get complete properties: every name, absent ones as null. */
export interface ResourceType {
  /** e.g. `postgresql:index/role:Role`. */
  readonly token: string;
  readonly properties: Readonly<Record<string, Property>>;
  /** The official plugin always deletes before it replaces. */
  readonly deleteBeforeReplace?: true;
  /** Names that exist in the official type and are refused here when used, with what to use instead. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Outputs that are constant here; e.g. a deprecated list that is always empty. */
  readonly constants?: Readonly<Record<string, readonly string[]>>;
  create(server: Server, planned: Properties): Promise<Existing>;
  /** undefined: it is gone. `state` is all null when a resource is imported: then `id` must do. */
  read(server: Server, id: string, state: Properties): Promise<Existing | undefined>;
  update(server: Server, id: string, olds: Properties, planned: Properties): Promise<Existing>;
  delete(server: Server, id: string, state: Properties): Promise<void>;
}

/** A connection while it is open. */
export interface Session {
  /** Rows of one statement; throws what `pg` throws. */
  query(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}
export type Row = Readonly<Record<string, unknown>>;

/** The server of the provider's configuration. Nothing connects before one of the functions is called. */
export interface Server {
  /** Role that statements run as, for grants to oneself. */
  readonly user: string;
  /** Database of the provider's configuration. */
  readonly database: string;
  /** Whether `user` is said to be a superuser, so that password hashes may be read. */
  readonly superuser: boolean;
  /** Reads; `database` null means the provider's. */
  look<T>(database: string | null, work: (session: Session) => Promise<T>): Promise<T>;
  /** Changes in one transaction, one after the other within this process, again when another process interfered. */
  change<T>(database: string | null, work: (session: Session) => Promise<T>): Promise<T>;
  /** Changes that PostgreSQL does not allow inside a transaction, one after the other. */
  changeAlone<T>(work: (session: Session) => Promise<T>): Promise<T>;
}
