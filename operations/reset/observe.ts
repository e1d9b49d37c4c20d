import { stackLabel } from "../../settings/names.ts";
import { wantedSchema } from "../../settings/schema.ts";
import type { Reset, Settings } from "../../settings/types.ts";
import { withClient } from "../database/connection.ts";
import { isAbsent } from "../database/errors.ts";
import type { World } from "../plan/world.ts";
import { access, applicationName } from "../plan/access.ts";
import { connectorTo, observeSchema } from "../plan/schema.ts";
import { findDatabases, isHalfMade, type FoundDatabase } from "./found.ts";
import { freshName, keptMark } from "./names.ts";
import { planReset } from "./plan.ts";
import { refuseReset } from "./refusals.ts";
import type { ResetPlan, ResetState } from "./types.ts";

/**
 * What is to be done about resets: the one that the configuration asks for, unless it has been done, and what a killed one has left.
 * Undefined where there is no server of our own to ask. Refuses what cannot be done. Reads only.
 */
export async function observeReset(
  settings: Settings,
  world: Pick<World, "server" | "schema" | "move" | "takeover" | "initialised">,
): Promise<ResetState | undefined> {
  const { reset, cluster } = settings;
  if (cluster.kind !== "own") return undefined;
  if (!world.server.answers) {
    if (reset !== undefined && world.initialised)
      throw refuseReset(
        "RESET_IMPOSSIBLE",
        `the server does not answer (${world.server.why}), so that nobody knows whether ${reset.database} was made anew already.`,
        "See that it runs, then `pulumi up`; or take rollback:reset out.",
      );
    return undefined;
  }
  const own = [...settings.databases.keys()];
  const names = [
    ...own,
    ...own.map(freshName),
    ...(reset === undefined ? [] : [reset.keepAs]),
    ...(reset?.back === undefined ? [] : [reset.back]),
  ];
  const server = access(settings);
  const found = await findDatabases(server, names, reset !== undefined);
  const half = new Set([...found.values()].filter(isHalfMade).map(({ name }) => name));
  return {
    plan: reset === undefined ? undefined : await pending(settings, reset, found, world),
    left: own.map(freshName).filter((name) => half.has(name)),
    closed: own.filter((name) => found.get(name)?.closed === true),
  };
}

async function pending(
  settings: Settings,
  reset: Reset,
  found: ReadonlyMap<string, FoundDatabase>,
  world: Pick<World, "schema" | "move" | "takeover">,
): Promise<ResetPlan | undefined> {
  const { database } = reset;
  if (found.has(database) && (await isDone(settings, reset, found))) return undefined;
  if (world.move !== undefined || world.takeover !== undefined)
    throw refuseReset(
      "RESET_WITH_RECOVERY",
      `the same \`up\` would ${world.move === undefined ? "take over another server" : `take the server to ${world.move.plan.volume}`} and make ${database} anew there.`,
      "One after the other: take rollback:reset out, `pulumi up`, and put it in again.",
    );
  const state = world.schema.get(database);
  const entry = settings.databases.get(reset.database);
  const connect = connectorTo(access(settings), applicationName(settings));
  const kept =
    entry === undefined || reset.back === undefined || !found.has(reset.back)
      ? undefined
      : await observeSchema({ ...entry, name: reset.back }, connect);
  const order = new Map([...world.schema].map(([name, each]) => [name, each.order]));
  return planReset({
    ...{ settings, reset, found, order: state?.order ?? [] },
    versionBefore: state?.version,
    versionOfKept: kept?.version,
    wanted: wantedSchema(settings, order).get(database) ?? "0",
  });
}

/**
 * Whether this very reset is over: its kept database is there, or it is on record. The record outlives the kept database, and is
 * carried along when a database comes back or a volume is recovered.
 */
async function isDone(
  settings: Settings,
  { database, keepAs }: Reset,
  found: ReadonlyMap<string, FoundDatabase>,
): Promise<boolean> {
  if (found.get(keepAs)?.comment === keptMark(stackLabel(settings), database)) return true;
  try {
    return await withClient(access(settings), database, async (client) => {
      const { rowCount } = await client.query(
        "select from rollback.event where kind = 'recovered' and details->>'kind' like 'reset%' and details->>'from' = $1 limit 1",
        [keepAs],
      );
      return rowCount !== 0;
    });
  } catch (error) {
    // A ledger that is gone with what else was lost tells of nothing.
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** The schemas as they are when the reset is done. Pure. */
export function schemaAfterReset(schema: World["schema"], plan: ResetPlan | undefined): World["schema"] {
  if (plan === undefined) return schema;
  const { database, version } = plan;
  return new Map(
    [...schema].map(([name, state]) => [name, name === database ? { ...state, version } : state]),
  );
}
