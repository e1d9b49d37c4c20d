import { sqlState } from "../../database/errors.ts";
import { createSlot, dropSlot, readSlots, slotName, type Slot } from "../../database/slots.ts";
import type { ConnectionOptions, Say, Server } from "../../database/connection.ts";
import type { Settings } from "../../../settings/types.ts";

/** Slots kept for each database: that of the release that serves, and that of the one before. */
const kept = 2;

export interface KeepRequest {
  readonly server: Server;
  readonly settings: Pick<Settings, "cluster">;
  /** Databases that exist. */
  readonly databases: readonly string[];
  readonly run: string;
  readonly session: ConnectionOptions;
  readonly say: Say;
  /** Milliseconds (default 15 s); nobody waits for it, but a transaction that stays open must not keep a release from coming. */
  readonly patience?: number;
}

/** What has to be done with the slots of a server. */
export interface SlotPlan {
  /** Databases that need a new one. */
  readonly create: readonly string[];
  /** Slots that hold WAL back for nothing, or nothing any more. */
  readonly drop: readonly Slot[];
  /** Databases whose newest record was given up, as too much WAL was written. */
  readonly lost: readonly string[];
}

/** `fresh`: a new release begins, and with it a new record. Pure. */
export function planSlots(
  { cluster }: Pick<Settings, "cluster">,
  slots: readonly Slot[],
  databases: readonly string[],
  fresh: boolean,
): SlotPlan {
  const wanted = cluster.backup.changes !== undefined;
  const usable = (database: string): Slot[] =>
    slots.filter((slot) => slot.database === database && slot.status !== "lost");
  const create = wanted ? databases.filter((database) => fresh || usable(database).length === 0) : [];
  const keep = new Set(
    wanted ? databases.flatMap((name) => usable(name).slice(-(create.includes(name) ? kept - 1 : kept))) : [],
  );
  const newest = (database: string): Slot | undefined => slots.findLast((slot) => slot.database === database);
  return {
    create,
    drop: slots.filter((slot) => !keep.has(slot)),
    lost: wanted ? databases.filter((database) => newest(database)?.status === "lost") : [],
  };
}

/** In what the slots differ from the configuration, a line each. Pure. */
export function slotDrift(
  settings: Pick<Settings, "cluster">,
  slots: readonly Slot[],
  databases: readonly string[],
): string[] {
  const { create, drop, lost } = planSlots(settings, slots, databases, false);
  const wanted = settings.cluster.backup.changes !== undefined;
  return [
    ...lost.map((database) => describeLost(settings, database)),
    ...create.filter((each) => !lost.includes(each)).map((each) => `changes of ${each} are not kept yet`),
    ...(wanted ? [] : drop.map(({ database, name }) => `${name} still keeps changes of ${database}`)),
  ];
}

/** Databases whose record of changes was given up, a line each; the next `pulumi up` begins it anew. Pure. */
export function lostChanges(
  settings: Pick<Settings, "cluster">,
  slots: readonly Slot[],
  databases: readonly string[],
): string[] {
  return planSlots(settings, slots, databases, false).lost.map((name) => describeLost(settings, name));
}

/** How far the record of changes of each database reaches, a line each. Pure. */
export function describeSlots(slots: readonly Slot[]): string[] {
  const newest = new Map(slots.map((slot) => [slot.database, slot]));
  return [...newest.values()].map(({ database, status, from, left }) =>
    status === "lost"
      ? `changes of ${database}: given up, more WAL was written than may be held back`
      : `changes of ${database} are kept since ${from}${left === null ? "" : `; ${Math.max(0, Math.floor(left / 1024 ** 2))} MB of WAL until they are given up`}`,
  );
}

function describeLost({ cluster }: Pick<Settings, "cluster">, database: string): string {
  const limit = cluster.backup.changes?.keep ?? 0;
  return `changes of ${database} were given up: more than rollback:cluster.backup.changes.keep (${limit}MB) of WAL was written`;
}

/**
 * Sees to it that every change is on record from here on: a slot for each database that has none, with `fresh` a new one for
 * each, and away with what is not needed any more. What fails is said and stops nothing: rows can be salvaged without.
 */
export async function keepChanges(request: KeepRequest, fresh: boolean): Promise<void> {
  const { server, settings, databases, session, say } = request;
  const slots = await readSlots(server, session);
  const plan = planSlots(settings, slots, databases, fresh);
  for (const database of plan.lost)
    say(
      `WARNING: ${describeLost(settings, database)}. Nothing of the data is lost; of what was written until now a recovery keeps the rows as they stand`,
    );
  const drop = async (which: (slot: Slot) => boolean): Promise<void> => {
    for (const slot of plan.drop.filter(which)) await dropSlot(server, slot.name, session);
  };
  // A lost one holds nothing, and takes the place of another.
  await drop(({ database, status }) => status === "lost" || !plan.create.includes(database));
  for (const each of plan.create) {
    const own = ({ database, status }: Slot): boolean => database === each && status !== "lost";
    let failure = await begin(request, each);
    if (failure?.full === true && plan.drop.some(own)) {
      await drop(own);
      failure = await begin(request, each);
    }
    if (failure === undefined) {
      say(`every change of ${each} is on record from here on`);
      await drop(own);
      continue;
    }
    say(
      `WARNING: no new record of the changes of ${each} could be begun${slots.some(own) ? ", the one before goes on" : ""}: ${failure.why}. The next \`pulumi up\` tries again`,
    );
  }
}

interface Failure {
  readonly why: string;
  /** Whether all of `max_replication_slots` are taken. */
  readonly full: boolean;
}

/** @returns why it could not be; undefined: it could. */
async function begin(request: KeepRequest, database: string): Promise<Failure | undefined> {
  const { server, run, session, patience = 15_000 } = request;
  try {
    await createSlot(server, database, slotName(database, run), patience, session);
    return undefined;
  } catch (error) {
    const state = sqlState(error);
    if (state === undefined || !(error instanceof Error)) throw error;
    const waits = `PostgreSQL waits for a transaction that has been writing for ${patience / 1000} s, or was left prepared`;
    return { why: state === "57014" ? waits : error.message, full: state === "53400" };
  }
}
