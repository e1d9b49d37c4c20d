import type { Client } from "pg";
import { z } from "zod";
import { operatorRole, ownerRole } from "../../settings/names.ts";
import type { Database, Settings } from "../../settings/types.ts";
import { withClient, type ConnectionOptions, type Say } from "../database/connection.ts";
import { identifier, literal, rowsOf } from "../database/query.ts";
import { sessionName } from "../journal/run-token.ts";
import { access } from "../plan/access.ts";
import { freshMark, unfinished } from "./names.ts";
import { refuseReset } from "./refusals.ts";
import type { ResetPlan } from "./types.ts";

/** A reset under way. */
export interface ResetWork {
  readonly settings: Settings;
  readonly plan: ResetPlan;
  /** Who does it; a new database is put in use by the run that made it only. */
  readonly run: string;
  readonly say: Say;
}

/** By their names a later run ends the sessions of one that was killed and lives on. */
export function session({ run }: Pick<ResetWork, "run">): ConnectionOptions {
  return { applicationName: sessionName(run, "reset") };
}

/** As the stack makes a database, so that the engine finds what its state says. Removes what a killed reset left. */
export async function makeDatabase(work: ResetWork, database: Database): Promise<void> {
  const { settings, plan, run, say } = work;
  const owner = identifier(ownerRole(database.name));
  const operator = identifier(operatorRole);
  const fresh = identifier(plan.successor);
  say(`making ${plan.successor}`);
  await dropUnfinished(settings, [plan.successor]);
  await withClient(
    access(settings),
    "postgres",
    async (client) => {
      await assertNameFree(client, plan);
      // Closed from the first instant on: a kill before it has its mark leaves what can be told by that.
      await client.query(
        `create database ${fresh} owner ${owner} encoding 'UTF8' template template0 connection limit 0`,
      );
      await client.query(`comment on database ${fresh} is ${literal(freshMark(run))}`);
      await client.query(`grant connect, create, temporary on database ${fresh} to ${owner}`);
      await client.query(`alter database ${fresh} connection limit -1`);
    },
    session(work),
  );
  await withClient(
    access(settings),
    plan.successor,
    async (client) => {
      await client.query(`create schema rollback authorization ${operator}`);
      await client.query(
        `alter default privileges for role ${owner} in schema public grant select on tables to ${operator}`,
      );
      for (const extension of database.extensions)
        await client.query(`create extension ${identifier(extension)}`);
    },
    session(work),
  );
}

/** What is left of a killed run may have finished after this one looked. */
export async function assertNameFree(client: Client, { database, keepAs }: ResetPlan): Promise<void> {
  const { rowCount } = await client.query("select from pg_database where datname = $1", [keepAs]);
  if (rowCount === 0) return;
  throw refuseReset(
    "RESET_OVERTAKEN",
    `${keepAs} has come to be since this run began: another reset of ${database} has kept it.`,
    "See what that one has done, and repeat.",
  );
}

/**
 * Drops those of these databases that a reset has left half made, and no others: they carry its mark, or were created and had no
 * time to get it. With `run`: of this run.
 */
export async function dropUnfinished(
  settings: Settings,
  names: readonly string[],
  run?: string,
): Promise<void> {
  await withClient(access(settings), "postgres", async (client) => {
    const marked = await rowsOf(
      client,
      z.object({ name: z.string() }),
      `select datname as name from pg_database cross join lateral shobj_description(oid, 'pg_database') as comment
        where datname = any($1) and (starts_with(comment, $2) or $3 and comment is null and datconnlimit = 0)`,
      [names, run === undefined ? unfinished : freshMark(run), run === undefined],
    );
    for (const { name } of marked) await client.query(`drop database ${identifier(name)} with (force)`);
  });
}

/** Opens databases of the stack that a reset had closed when it was killed. */
export async function openClosed(settings: Settings, names: readonly string[]): Promise<void> {
  await withClient(access(settings), "postgres", async (client) => {
    for (const name of names) await client.query(`alter database ${identifier(name)} connection limit -1`);
  });
}
