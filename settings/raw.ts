/** What Pulumi hands out, taken apart room by room: each room is parsed on its own, so that one mistake does not hide the next. */
import type { z } from "zod";
import { suggestion, wrongValue, type KeyPath, type Problem } from "./problems.ts";
import { caches } from "./rooms/caches.ts";
import { externalCluster, isExternal, ownCluster } from "./rooms/cluster.ts";
import { databases } from "./rooms/databases.ts";
import { gateway } from "./rooms/gateway.ts";
import { live, standby } from "./rooms/live.ts";
import { platform } from "./rooms/platform.ts";
import { recovery } from "./rooms/recovery.ts";
import { reset } from "./rooms/reset.ts";
import { releases } from "./rooms/releases.ts";
import { safety } from "./rooms/safety.ts";
import { secrets } from "./rooms/secrets.ts";
import { services } from "./rooms/services.ts";
import { takeover } from "./rooms/takeover.ts";
import { read } from "./shapes.ts";

/** The stack's configuration below `rollback:` as it comes from Pulumi. */
export interface RawConfiguration {
  readonly project: string;
  readonly stack: string;
  /** Key without namespace; value: text, JSON text, or what the JSON means. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Keys, without namespace, that Pulumi keeps as secrets. */
  readonly secretKeys: readonly string[];
  /** Absolute folder of the stack file; relative paths start here. */
  readonly folder: string;
}

/** The keys of the contract, in its order. */
export const roomNames = [
  ...["releases", "live", "standby", "services", "databases", "cluster"],
  ...["recovery", "reset", "gateway", "caches", "safety", "secrets", "platform", "takeover"],
] as const;

/** A mapping whose entries were parsed one by one. */
export interface Entries<Value> {
  /** All names, also of entries with mistakes; undefined: unknown, because the room itself could not be read. */
  readonly names: ReadonlySet<string> | undefined;
  /** Entries without mistakes. */
  readonly valid: ReadonlyMap<string, Value>;
}

/** Everything parsed, before it is checked against one another; undefined: had mistakes (or, of `recovery`, `reset` and `takeover`, is not there). */
export type Rooms = ReturnType<typeof readRooms>["rooms"];

/** Parses every room. The result is complete when there are no problems. */
export function readRooms(raw: RawConfiguration) {
  const problems: Problem[] = [...unknownKeys(raw), ...misplacedSecrets(raw)];

  const one = <Schema extends z.ZodType>(key: string, schema: Schema): z.output<Schema> | undefined => {
    if (unreadable(raw, key)) return undefined;
    const outcome = read(schema, decoded(raw.values[key]), [key]);
    if ("value" in outcome) return outcome.value;
    problems.push(...outcome.problems);
    return undefined;
  };
  const many = <Schema extends z.ZodType>(key: string, room: MapRoom<Schema>): Entries<z.output<Schema>> => {
    if (unreadable(raw, key)) return { names: undefined, valid: new Map() };
    return entries(decoded(raw.values[key]), key, room, problems);
  };

  const rooms = {
    releases: many("releases", releases),
    live: many("live", live),
    standby: one("standby", standby.default([])),
    services: many("services", services),
    databases: many("databases", databases),
    cluster: isExternal(decoded(raw.values["cluster"]))
      ? one("cluster", externalCluster)
      : one("cluster", ownCluster),
    recovery: one("recovery", recovery.optional()),
    reset: one("reset", reset.optional()),
    gateway: one("gateway", gateway),
    caches: many("caches", { ...caches, mayBeEmpty: true }),
    safety: one("safety", safety),
    secrets: one("secrets", secrets),
    platform: one("platform", platform),
    takeover: one("takeover", takeover.optional()),
  };
  return { rooms, problems };
}

interface MapRoom<Schema extends z.ZodType> {
  readonly key: z.ZodString;
  readonly entry: Schema;
  readonly allowed: string;
  readonly mayBeEmpty?: boolean;
}

function entries<Schema extends z.ZodType>(
  raw: unknown,
  key: string,
  room: MapRoom<Schema>,
  problems: Problem[],
): Entries<z.output<Schema>> {
  const given = raw === undefined && room.mayBeEmpty === true ? {} : raw;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    problems.push(wrongValue([key], given, room.allowed));
    return { names: undefined, valid: new Map() };
  }
  const valid = new Map<string, z.output<Schema>>();
  for (const [name, value] of Object.entries(given)) {
    const path: KeyPath = [key, name];
    const named = room.key.safeParse(name);
    if (!named.success) {
      problems.push({ path, text: `not a valid name; allowed: ${named.error.issues[0]?.message ?? ""}` });
    }
    const outcome = read(room.entry, value, path);
    if ("problems" in outcome) problems.push(...outcome.problems);
    else if (named.success) valid.set(name, outcome.value);
  }
  const names = new Set(Object.keys(given));
  if (names.size === 0 && room.mayBeEmpty !== true) {
    problems.push({ path: [key], text: `empty; expected ${room.allowed}` });
  }
  return { names, valid };
}

/** A room's value: `pulumi config` hands out mappings and lists as JSON text. */
function decoded(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    // Not JSON after all; the room says what it expects instead of this text.
    return value;
  }
}

function unknownKeys({ values }: RawConfiguration): Problem[] {
  const known: readonly string[] = roomNames;
  return Object.keys(values)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: [key], text: `unknown key; ${suggestion(key, known)}` }));
}

/** Whether a room holds what must not be read, as any message about it could show it. */
function unreadable({ secretKeys }: RawConfiguration, key: string): boolean {
  return key !== "secrets" && secretKeys.includes(key);
}

function misplacedSecrets(raw: RawConfiguration): Problem[] {
  const misplaced = raw.secretKeys
    .filter((key) => key !== "secrets")
    .map((key) => ({ path: [key], text: elsewhere }));
  const open = raw.values["secrets"] !== undefined && !raw.secretKeys.includes("secrets");
  return open ? [...misplaced, { path: ["secrets"], text: inClear }] : misplaced;
}

const elsewhere =
  "holds a secret, and only rollback:secrets may. One `secure:` leaf makes the whole key secret to the engine, yet its values would " +
  "reach the state in clear. Move the value (`pulumi config set --secret --path rollback:secrets.NAME`) and write { secret: NAME } here";

const inClear =
  "its values stand in clear in the stack file. Encrypt each of them: `pulumi config set --secret --path rollback:secrets.NAME`";
