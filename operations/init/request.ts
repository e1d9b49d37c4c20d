/** What the command line says about taking a compose project over. Keys of the maps are names of the compose file. */
export interface InitRequest {
  /** Absolute; where the compose file lies. */
  readonly folder: string;
  readonly files: readonly string[];
  readonly project: string;
  readonly stack: string;
  /** Absolute folder of Pulumi.yaml; paths in the stack file start there. */
  readonly home: string;
  /** Name of the release that runs now; undefined: its image's tag. */
  readonly release: string | undefined;
  /** Image of the stack's PostgreSQL; undefined: the default one. */
  readonly image: string | undefined;
  readonly without: ReadonlySet<string>;
  readonly health: ReadonlyMap<string, string>;
  readonly ports: ReadonlyMap<string, number>;
  readonly public: ReadonlyMap<string, number>;
  /** Key: database. */
  readonly migrations: ReadonlyMap<string, string>;
  /** Pattern of keys to clear, or `all`. */
  readonly clear: ReadonlyMap<string, string>;
}

/** A folder of this machine at a place in a container, and the volume that lies over it in the stack. */
export interface BoundFolder {
  readonly volume: string;
  readonly folder: string;
  readonly destination: string;
}

/** A stack configuration made from what runs, and what has to be said about it. */
export interface Draft {
  /** Without `rollback:secrets`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Plaintext by name; never shown. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Comments of the file by the key's path, its parts divided by spaces. */
  readonly comments: ReadonlyMap<string, string>;
  /** Folders of this machine that need a volume over them: that of the data, and those of services. */
  readonly folders: readonly Pick<BoundFolder, "volume" | "folder">[];
  /** What a person should look at, a sentence each. */
  readonly checks: readonly string[];
  /** What the first `pulumi up` will do to what runs. */
  readonly happens: readonly string[];
}
