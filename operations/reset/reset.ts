import { randomUUID } from "node:crypto";
import { stackLabel } from "../../settings/names.ts";
import type { Database, Settings } from "../../settings/types.ts";
import type { Say } from "../database/connection.ts";
import { claimRun, sessionName } from "../journal/run-token.ts";
import { access, applicationName } from "../plan/access.ts";
import { connectorTo, observeSchema } from "../plan/schema.ts";
import { describeReset } from "./describe.ts";
import { findDatabases } from "./found.ts";
import { rowCounts } from "./load.ts";
import { underLock } from "./lock.ts";
import { freshName, keptName } from "./names.ts";
import { openClosed, type ResetWork } from "./make.ts";
import { prepareReset } from "./prepare.ts";
import { planReset } from "./plan.ts";
import { refuseReset } from "./refusals.ts";
import { switchReset } from "./switch.ts";
import type { ResetPlan } from "./types.ts";

export interface ResetRequest {
  readonly settings: Settings;
  readonly database: Database;
  /** Name of a dump; `newest`: the newest whole one; undefined: no rows of a dump. */
  readonly dump: string | { readonly newest: true } | undefined;
  /** Name of a salvage pack, written over the rows of the dump; undefined: none. */
  readonly salvage: string | undefined;
  /** Tables whose rows are loaded; undefined: all. */
  readonly tables: readonly string[] | undefined;
  /** Name under which the database in use is kept; undefined: one with the time. */
  readonly keepAs: string | undefined;
  /** A database that an earlier reset kept, which takes its name again; undefined: a new one is made. */
  readonly back: string | undefined;
  readonly say: Say;
}

export interface ResetResult {
  /** Name of the database that was replaced; it stays. */
  readonly kept: string;
  readonly version: string;
  readonly dump: string | undefined;
  readonly salvage: string | undefined;
  readonly rows: Readonly<Record<string, number>>;
}

/**
 * The emergency reset without an `up`: all migrations up to the version in use, chosen rows, proof that references hold, and then
 * the names change. A repeat of one that was killed begins anew, or finds that it was over.
 */
export async function resetDatabase(request: ResetRequest): Promise<ResetResult> {
  const { settings, database, say } = request;
  const run = randomUUID();
  return underLock({ settings, run, by: "command", say }, async (assertHeld) => {
    const plan = await planOf(request);
    for (const line of describeReset(plan)) say(line);
    const work: ResetWork = { settings, plan, run, say };
    await prepareReset(work);
    await assertHeld();
    // An `up` that began before must not write to what is about to be left: from here on it is overtaken.
    const claim = { stack: stackLabel(settings), run };
    for (const name of settings.databases.keys())
      await claimRun(access(settings), name, claim, { applicationName: sessionName(run) });
    await switchReset(work);
    const rows = await rowCounts(access(settings), database.name);
    const { keepAs: kept, version, dump, pack } = plan;
    return { kept, version, dump: dump?.name, salvage: pack?.name, rows };
  });
}

async function planOf(request: ResetRequest): Promise<ResetPlan> {
  const { settings, database, dump, salvage, tables, back } = request;
  const { name } = database;
  const keepAs = request.keepAs ?? keptName(name, new Date());
  const names = [name, freshName(name), keepAs, ...(back === undefined ? [] : [back])];
  const found = await findDatabases(access(settings), names, true);
  if (found.get(name)?.closed === true) await openClosed(settings, [name]);
  const connect = connectorTo(access(settings), applicationName(settings));
  const { version, order } = await observeSchema(database, connect);
  const kept =
    back === undefined || !found.has(back)
      ? undefined
      : await observeSchema({ ...database, name: back }, connect);
  if (version === undefined)
    throw refuseReset(
      "RESET_IMPOSSIBLE",
      `${name} has no applied migration on record.`,
      "Deploy it:  pulumi up;  with rollback:reset the live release says which schema it shall have.",
    );
  return planReset({
    ...{ settings, found, order, wanted: version, versionBefore: version, versionOfKept: kept?.version },
    reset: { database: name, keepAs, back, load: { dump, salvage, tables } },
  });
}
