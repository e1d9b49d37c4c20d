/**
 * What this stack calls its objects in Docker and its roles in PostgreSQL. Pure: the same configuration gives the same names on
 * every machine, and two different things never share one.
 */
import { createHash } from "node:crypto";

/** Longest name Docker's DNS resolves (a label of RFC 1035). */
const dockerLimit = 63;
/** PostgreSQL cuts longer identifiers silently (NAMEDATALEN - 1). */
const roleLimit = 63;

/** The role that migrates, fences and keeps the schema `rollback`. Not a superuser. */
export const operatorRole = "rollback_operator";

/** Whose names are meant: the settings, or just these two of them. */
export interface StackIdentity {
  readonly project: string;
  readonly stack: string;
}

/** `<project>-<stack>`: the beginning of every Docker name of a stack, and the name of its network. */
export function prefix({ project, stack }: StackIdentity): string {
  return dockerName(project, stack);
}

/** Docker name of one part of a stack, e.g. `<prefix>-postgres`, `<prefix>-door`, `<prefix>-redis`, `<prefix>-dumps`. */
export function part(prefix: string, name: string): string {
  return dockerName(prefix, name);
}

/**
 * Docker name of a service's container: `<prefix>-<service>-<release>-<hash>`, with `-<replica>` before the hash for all but the
 * first replica (0). `hash` stands for the inputs that force a new container, so that none is replaced under its own name.
 */
export function containerName(
  prefix: string,
  service: string,
  release: string,
  replica: number,
  hash: string,
): string {
  return dockerName(prefix, service, release, ...(replica === 0 ? [] : [String(replica)]), hash);
}

/** Value of the label `rollback.stack`, by which a stack's own objects are known from everybody else's. */
export function stackLabel({ project, stack }: StackIdentity): string {
  return `${project}/${stack}`;
}

/**
 * The pieces joined by `-`, valid as name of a container, network or volume and as host name on a Docker network.
 * Characters that Docker refuses become `_`; a name that was changed or cut ends in a hash of what it should have been.
 */
export function dockerName(...pieces: readonly string[]): string {
  const wanted = pieces.join("-");
  const valid = wanted.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^(?![A-Za-z0-9])[^]?/, "x");
  if (valid === wanted && valid.length <= dockerLimit) return valid;
  const end = `-${hash8(wanted)}`;
  return valid.slice(0, dockerLimit - end.length) + end;
}

/** Role without login that owns everything in a database, e.g. `meal_planner_owner`. */
export function ownerRole(database: string): string {
  const suffix = "_owner";
  return `${rolePart(database, !isPlainDatabase(database), roleLimit - suffix.length)}${suffix}`;
}

/**
 * Role with which one release logs in to one database, e.g. `meal_planner_1_2_0`. Digits and dots (with a `v` in front, or not)
 * are told apart without a hash; any other release or a database that itself ends like a version gets one, so that no two pairs
 * share a role: `1.2-rc` and `1.2_rc`, or database `a_1` at `2` and database `a` at `1.2`.
 */
export function loginRole(database: string, release: string): string {
  const plain = isPlainDatabase(database) && /^v?\d+(\.\d+)*$/.test(release);
  return rolePart(`${database}_${release}`, !plain, roleLimit, `${database}\0${release}`);
}

/** Whether a database's name can be told from what is appended to it. */
function isPlainDatabase(database: string): boolean {
  return !/(_v?\d+|_x[0-9a-f]{8}|_owner)$/.test(database);
}

function rolePart(wanted: string, hashed: boolean, limit: number, identity = wanted): string {
  const valid = wanted.toLowerCase().replace(/[^a-z0-9_]/g, "_");
  const unchanged = valid === wanted.replaceAll(".", "_");
  if (!hashed && unchanged && valid.length <= limit) return valid;
  const end = `_x${hash8(identity)}`;
  return valid.slice(0, limit - end.length) + end;
}

function hash8(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
