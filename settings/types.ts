/**
 * The stack configuration after parsing: defaults applied, durations in milliseconds, sizes in bytes, references checked.
 * `parse.ts` is the only maker of these types; every other room reads them.
 */

/** A value of the configuration that is either given in clear or the name of an entry of `rollback:secrets`. */
export type MaybeSecret = string | { readonly secret: string };

/** Everything the stack configuration says. */
export interface Settings {
  readonly project: string;
  readonly stack: string;
  /** Catalogue of releases, by number (`1.2.0` before `1.10.0`): Pulumi does not keep the order of the file. Key: release, e.g. `1.2.0`. */
  readonly releases: ReadonlyMap<string, Release>;
  /** Releases with traffic and their weights (> 0), heaviest first, then catalogue order. Weights add up to 100. */
  readonly live: readonly { readonly release: string; readonly weight: number }[];
  /** Releases kept at weight 0; started when their schema fits. Never one that is live. */
  readonly standby: readonly string[];
  /** In dependency order (a service after those whose `${services.NAME.url}` it mentions). */
  readonly services: ReadonlyMap<string, Service>;
  /** By name: Pulumi sorts mappings, so the order of the file is not to be had. The first holds the journal. */
  readonly databases: ReadonlyMap<string, Database>;
  readonly cluster: Cluster;
  readonly recovery: Recovery | undefined;
  /** A database that is made anew, once; undefined: none. */
  readonly reset: Reset | undefined;
  readonly gateway: Gateway;
  /** Key: name of the cache, e.g. `redis`. */
  readonly caches: ReadonlyMap<string, Cache>;
  /** Files in volumes that are cleared as caches are. Key: name, none of `caches`. */
  readonly fileCaches: ReadonlyMap<string, FileCache>;
  readonly safety: Safety;
  readonly secrets: Secrets;
  readonly platform: "docker";
  /** What ran before this stack and is taken over by its first run; undefined: nothing. */
  readonly takeover: Takeover | undefined;
}

/** A service outside Docker: an instance of a systemd template unit for each release. */
export interface Native {
  /** Template, e.g. `meal-planner-api@.service`. */
  readonly unit: string;
  /** On its host; holds `releases/<release>`, `env/`, `flags/` and the link `current`. */
  readonly directory: string;
  /** Another machine; undefined: this one. */
  readonly host: NativeHost | undefined;
}

export interface NativeHost {
  /** IP address, for SSH and for the router. */
  readonly address: string;
  readonly user: string | undefined;
  readonly port: number;
  /** Files of this machine, absolute; undefined: those of OpenSSH. */
  readonly key: string | undefined;
  readonly knownHosts: string | undefined;
  /** This machine as that one reaches it, for the database. */
  readonly reach: string | undefined;
}

/** Containers of somebody else's making that the stack takes the place of. They are stopped, and kept. */
export interface Takeover {
  /** The PostgreSQL server that uses the volume of `rollback:cluster`. */
  readonly server: string;
  /** Services, proxies and caches beside it. */
  readonly containers: readonly string[];
}

export interface Release {
  readonly name: string;
  /** Key: service. Every service of `rollback:services` is present. */
  readonly services: ReadonlyMap<string, ReleaseService>;
  /** Key: database; value: the schema version the release wants. Every database is present. */
  readonly schema: ReadonlyMap<string, string>;
  /** Key: database; other versions the release also runs on. A single version has from = to. Inclusive, by position in the migration order. */
  readonly compatible: ReadonlyMap<string, { readonly from: string; readonly to: string }>;
}

export interface ReleaseService {
  /** Of a native service: what is deployed, in words. */
  readonly image: string;
  /** Where a native service listens on its host in this release; undefined: it runs in containers. */
  readonly port: number | undefined;
  /** `sha256:…`: repository digest or local image id; undefined: whatever the tag means when it is first deployed. */
  readonly digest: string | undefined;
  readonly flags: ReadonlyMap<string, string>;
}

export interface Service {
  readonly name: string;
  /** Port inside the container. */
  readonly port: number;
  /** What the gateway listens on for it, undefined: internal only. `address` defaults to 127.0.0.1. */
  readonly public: { readonly port: number; readonly address: string } | undefined;
  readonly database: string | undefined;
  /** Path of the health check, e.g. `/health`: healthy is a 2xx answer. */
  readonly health: string;
  /** How long a container may take to become healthy (default 60 s). */
  readonly healthDeadline: number;
  readonly smoke: readonly SmokeTest[];
  /**
   * An executable that tests each live container, absolute, and the milliseconds it may take (default 60 s). `image`: it runs
   * in a container of that on the stack's network; undefined: on this machine.
   */
  readonly smokeScript:
    { readonly path: string; readonly timeout: number; readonly image: string | undefined } | undefined;
  /** Parts of log lines that count as errors, and how many such lines a container may write; undefined: counted, not judged. */
  readonly errorLog: { readonly parts: readonly string[]; readonly allowed: number | undefined };
  /** Containers per release (default 1). */
  readonly replicas: number;
  /** Values may mention `${database.url}`, `${release}`, `${services.NAME.url}` and `${caches.NAME.url}`; fill them with template.ts. */
  readonly env: ReadonlyMap<string, MaybeSecret>;
  /** What to POST to after flags changed; undefined: the containers are restarted one by one. */
  readonly reload: { readonly path: string; readonly headers: ReadonlyMap<string, MaybeSecret> } | undefined;
  /** Lines (substrings) that must be in the log after flags changed. */
  readonly expectLog: readonly string[];
  /** `docker` options that keep a container small; in megabytes. */
  readonly memory: number | undefined;
  /** Key: path in the container; value: Docker volume that is mounted there, shared by all releases and replicas. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Undefined: it runs in containers. */
  readonly native: Native | undefined;
  /** User to run as; undefined: the image's. */
  readonly user: string | undefined;
  /** Milliseconds between SIGTERM and SIGKILL (default 10 s). */
  readonly stopGrace: number;
}

export interface SmokeTest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  readonly path: string;
  readonly status: number;
  readonly body: string | undefined;
  /** JSON path (dots and indexes, e.g. `items.0.id`) to the value expected there. */
  readonly json: ReadonlyMap<string, string | number | boolean | null>;
  /** Milliseconds. */
  readonly timeout: number;
}

export interface Database {
  readonly name: string;
  /** Folder of the migrations, absolute. */
  readonly migrations: string;
  /** How files and tracking table are laid out; undefined: told by what is in the folder. */
  readonly layout: Layout | undefined;
  /** The migration tool's own table, as SQL writes it, where it is not the tool's default. */
  readonly tracking: string | undefined;
  /** Tables counted before and after, as written in SQL (`food_logs`, `app."Food logs"`; see identifiers.ts); `tolerance` is the share of rows (0..1) that may vanish (default 0). */
  readonly keyTables: readonly { readonly table: string; readonly tolerance: number }[];
  /** Sessions to delete when code or schema changed: rows of `table` for which the SQL condition `where` holds. */
  readonly sessions: { readonly table: string; readonly where: string } | undefined;
  readonly extensions: readonly string[];
  /** Foreign roles to fence as well. */
  readonly writers: readonly string[];
}

export const layouts = [
  "meal-planner",
  "golang-migrate",
  "dbmate",
  "diesel",
  "flyway",
  "goose",
  "node-pg-migrate",
  "sql-migrate",
  "sqitch",
  "graphile-migrate",
  "atlas",
] as const;
export type Layout = (typeof layouts)[number];

export type Cluster = OwnCluster | ExternalCluster;

/** A PostgreSQL container that this stack runs. */
export interface OwnCluster {
  readonly kind: "own";
  readonly image: string;
  /** Docker volume that holds the data directory, named by the user. */
  readonly volume: string;
  /** Host port on loopback. */
  readonly port: number;
  readonly address: string;
  /** postgresql.conf settings. */
  readonly settings: ReadonlyMap<string, string>;
  readonly backup: Backup;
}

/** A PostgreSQL that is somebody else's: dumps and our own restore points only. */
export interface ExternalCluster {
  readonly kind: "external";
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: { readonly secret: string };
  readonly sslmode: "disable" | "require" | "verify-ca" | "verify-full";
  /** Host as the containers see it, when it differs from `host`. */
  readonly hostForContainers: string;
  readonly backup: Backup;
  readonly image: string;
}

export interface Backup {
  /** Docker volume or absolute host folder for dumps, and for the archive if that is not in `s3`. */
  readonly repository: { readonly volume: string } | { readonly folder: string };
  /** Where WAL and base backups go instead; undefined: beside the dumps. */
  readonly s3: S3 | undefined;
  /** When base backups are made, in cron's notation; undefined: neither those nor an archive of the WAL. */
  readonly schedule: BackupSchedule | undefined;
  /** Dumps, and full base backups with what depends on them, that are kept. */
  readonly retention: { readonly dumps: number; readonly full: number };
  /** Name of the secret that the archive is encrypted with; undefined: it is not. */
  readonly encryption: { readonly secret: string } | undefined;
  /** Megabytes of WAL that may be held back so that every change is there to be salvaged; undefined: none, rows are salvaged as they stand. */
  readonly changes: { readonly keep: number } | undefined;
}

/** A bucket of a storage that speaks S3, always by TLS. */
export interface S3 {
  readonly bucket: string;
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  /** Folder in the bucket; one for each stack. */
  readonly path: string;
  /** Whether the bucket is named in the host name or in the path. */
  readonly style: "host" | "path";
  readonly key: { readonly secret: string };
  readonly keySecret: { readonly secret: string };
  readonly verifyTls: boolean;
  /** Whom to trust, as PEM; undefined: the authorities that the image knows. */
  readonly certificate: string | undefined;
}

/** Cron expressions, in UTC. */
export interface BackupSchedule {
  readonly full: string;
  readonly diff: string | undefined;
  readonly incr: string | undefined;
}

/** A recovery into a new volume beside the one in use. */
export interface Recovery {
  readonly volume: string;
  readonly from: string;
  readonly target: RecoveryTarget;
  /** What becomes of writes made after the target; undefined: refuse when there are any. */
  readonly laterWrites: "keep" | "drop" | undefined;
}

export type RecoveryTarget =
  /** Just before this release was deployed; it need not be in the catalogue any more. */
  | { readonly kind: "before"; readonly release: string }
  | { readonly kind: "restorePoint"; readonly name: string }
  /** UTC, as PostgreSQL reads it, microseconds kept: `2026-11-22 09:00:00.123456+00`. */
  | { readonly kind: "time"; readonly time: string }
  | { readonly kind: "xid"; readonly xid: string }
  | { readonly kind: "lsn"; readonly lsn: string };

/** The emergency reset of one database. Naming it here confirms it. */
export interface Reset {
  readonly database: string;
  /** Name under which the database in use is kept; done once for each such name. */
  readonly keepAs: string;
  /** A database kept by an earlier reset, which takes the name again; undefined: a new one is made. */
  readonly back: string | undefined;
  readonly load: ResetLoad;
}

/** Rows that a database made anew is given, besides those that its migrations make. */
export interface ResetLoad {
  /** Name of a dump; undefined: none. */
  readonly dump: string | undefined;
  /** Name of a salvage pack, written over the rows of the dump; undefined: none. */
  readonly salvage: string | undefined;
  /** As SQL writes them; undefined: all. */
  readonly tables: readonly string[] | undefined;
}

export interface Gateway {
  /** Longest time a request is held, milliseconds (default 30 s). */
  readonly hold: number;
  /** Most requests held at once (default 10000). */
  readonly held: number;
  /** Longest time requests in flight may take to finish (default 10 s). */
  readonly drain: number;
  /** What keeps a client with one release of a canary; undefined: each request goes by weight. */
  readonly sticky: { readonly by: "cookie" | "header"; readonly name: string } | undefined;
  /** What browsers are told for a while after code or schema changed; undefined: nothing. */
  readonly browsers: Browsers | undefined;
  /** An nginx that is not ours and that clients talk to; undefined: the door has the public listeners itself. */
  readonly existing: ExistingNginx | undefined;
}

export interface Browsers {
  /** What of the browser's own is cleared, once in each browser: values of `Clear-Site-Data`. */
  readonly clear: readonly ("cache" | "storage")[];
  /** `Cache-Control` of every answer, in place of the application's; undefined: the application's. */
  readonly cacheControl: string | undefined;
  /** Milliseconds after the switch. */
  readonly for: number;
}

export interface ExistingNginx {
  /** Absolute folder on this machine, whose `*.conf` that nginx includes in its `http` block. */
  readonly folder: string;
  /** The argv that reloads it, and the one that tests its configuration. */
  readonly reload: readonly string[];
  readonly test: readonly string[];
  /** The container it runs in and the Docker network on which it can be reached; undefined: it shares this machine's network. */
  readonly container: { readonly name: string; readonly network: string } | undefined;
}

export interface Cache {
  readonly name: string;
  readonly kind: "redis";
  /** Glob for SCAN MATCH, or undefined with `all`. */
  readonly pattern: string | undefined;
  /** FLUSHALL, only when asked for by name. */
  readonly all: boolean;
  readonly image: string;
}

export interface FileCache {
  readonly name: string;
  /** Docker volume, none of the database's. */
  readonly volume: string;
  /** Paths within it: `*` and `?` within a name, `**` across folders. */
  readonly files: string;
}

export interface Safety {
  /** Longest wait for a lock during a schema change, milliseconds (default 100 ms). */
  readonly lockTimeout: number;
  /** Percent of answers that may be errors while baking (default 5). */
  readonly errorRate: number;
  /** Milliseconds an answer may take while baking (default 5 s). */
  readonly responseTime: number;
  /** How long a new state is watched before it counts as proven, milliseconds (default 60 s; 0: not at all). */
  readonly bake: number;
  readonly onBadBake: "fail" | "warn";
  /**
   * What happens to a reversal that leaves another schema than the one before its migrations, and to a change of a schema
   * that was changed by hand.
   */
  readonly onDifference: "refuse" | "warn";
  /** What happens when a release would take traffic with fewer containers than what has it now (default refuse). */
  readonly capacity: "refuse" | "warn";
  /** Milliseconds that keeping what a reversal destroys may take (default 15 s); what would take longer is refused. */
  readonly archive: number;
  /** What becomes of a reversal whose effect cannot be known from its text: a DO block, a call (default refuse). */
  readonly opaque: "refuse" | "accept";
  /**
   * Whether a reversal may meet requests instead of having them wait: never (default); where every release that serves
   * runs on the schema gone to and locks are short; or only so, and else it is refused.
   */
  readonly liveRollback: "off" | "wanted" | "required";
  /** Whether a schema change is tried on a copy first (default off). */
  readonly rehearsal: "required" | "wanted" | "off";
}

/** Plaintext secrets behind a function, so that printing settings cannot print them. */
export interface Secrets {
  readonly names: readonly string[];
  /** Throws a Refusal `SECRET_MISSING` for a name that is not there. */
  get(name: string): string;
}
