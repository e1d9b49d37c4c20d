import type { ClientBase } from "pg";
import { z } from "zod";
import { operatorRole } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Database } from "../../settings/types.ts";
import { withClient } from "../database/connection.ts";
import type { Server } from "../database/connection.ts";
import { sqlState } from "../database/errors.ts";
import { identifier, rowOf } from "../database/query.ts";
import { rollbackSchema } from "../database/schema.ts";
import { adoptDatabase } from "./adopt.ts";
import type { AdoptOptions } from "./adopt.ts";
import type { CarryOutOptions, SchemaResult } from "./carry-out.ts";
import { changeSchema } from "./change.ts";
import { connector } from "./connect.ts";
import { layoutReader, readMigrations } from "./layouts/index.ts";
import type { LayoutReader } from "./layouts/layout.ts";
import { observeDatabase } from "./observe.ts";
import type { Way } from "./plan.ts";
import type { Limits } from "./limits.ts";
import { observer } from "./observer.ts";
import { planSchemaChange } from "./schema-plan.ts";
import type { SchemaPlan } from "./schema-plan.ts";
import { quoteName } from "./sql/names.ts";
import { versionOf, wayTo } from "./target.ts";
import type { Target } from "./target.ts";

/** Who a database outside of a stack belongs to. */
export interface Ownership {
  /** Role that the migrations run as: that of the tool's tracking table if we are a member of it, else our own. */
  readonly owner: string;
  /** Whether a stack keeps its ledger here, and so is the one to change this database. */
  readonly stack: boolean;
  /** Whether the schema `rollback` is there. */
  readonly schema: boolean;
}

/** Finds out whose a database is. Changes nothing. */
export async function ownershipOf(client: ClientBase, reader: LayoutReader): Promise<Ownership> {
  const { schema, table } = reader.trackingTable;
  return rowOf(
    client,
    z.object({ owner: z.string(), stack: z.boolean(), schema: z.boolean() }),
    `SELECT coalesce((SELECT pg_get_userbyid(relowner)::text FROM pg_class
         WHERE oid = to_regclass($1) AND pg_has_role(session_user, relowner, 'USAGE')), session_user::text) AS owner,
       EXISTS (SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = $2 AND r.rolname = $3) AS stack,
       to_regnamespace($2) IS NOT NULL AS schema`,
    [quoteName({ schema, name: table }), rollbackSchema, operatorRole],
  );
}

/**
 * Makes the schema for the ledger in a database outside of a stack. Throws Refusals `SCHEMA_OF_STACK` where a stack is in
 * charge (its fence would be passed by), and `LEDGER_FORBIDDEN` when the role may not create a schema.
 */
export async function prepareOutside(
  client: ClientBase,
  database: string,
  ownership: Ownership,
): Promise<void> {
  if (ownership.stack) throw belongsToStack(database);
  if (ownership.schema) return;
  try {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${identifier(rollbackSchema)}`);
  } catch (error) {
    if (sqlState(error) !== "42501") throw error;
    throw new Refusal({
      code: "LEDGER_FORBIDDEN",
      found: `the role may not create the schema ${rollbackSchema} in ${database}, which holds the ledger and the archives.`,
      untouched: "Nothing was changed.",
      next: `As the database's owner:  CREATE SCHEMA ${rollbackSchema} AUTHORIZATION <this role>`,
      cause: error,
    });
  }
}

function belongsToStack(database: string): Refusal {
  return new Refusal({
    code: "SCHEMA_OF_STACK",
    found: `${database} belongs to a stack: ${operatorRole} owns its ledger.`,
    untouched: "Nothing was changed.",
    next: "Change rollback:live (or `schema` of the release) and run `pulumi up`: it stops what writes before it changes the schema.",
  });
}

/** A database outside of a stack. */
export interface Outside {
  readonly server: Server;
  /** Its `name` is the database's on the server. */
  readonly database: Database;
  /** Role that the SQL runs as; undefined: `Ownership.owner`. */
  readonly owner: string | undefined;
}

export interface ChangeOptions extends CarryOutOptions {
  /** What the ledger records for what is applied. */
  readonly release: string;
  readonly onDrift: "refuse" | "note";
  /** How far reversals may go; default: as far as they take. */
  readonly limits?: Limits;
  /** A line for the person who waits. */
  readonly say: (line: string) => void;
}

/**
 * Plans how a database gets to a target; changes nothing. A schema that was changed by hand is noted. Throws what planning
 * and `versionOf` throw, and `SCHEMA_DIRECTION` when the target does not lie the way that was asked for.
 */
export async function planOutside(outside: Outside, target: Target, asked?: Way): Promise<SchemaPlan> {
  const { database } = outside;
  const open = connector(outside.server);
  const { wanted, owner, way } = await withClient(outside.server, database.name, (client) =>
    aimAt(client, outside, target, asked),
  );
  return planSchemaChange({
    databases: [database],
    wanted: new Map([[database.name, wanted]]),
    release: "",
    observe: observer(open),
    owner: () => owner,
    onDrift: "note",
    way,
    judge: true,
  });
}

/**
 * Brings a database outside of a stack to a target, in one transaction, with ledger, archives and the tool's own table in
 * step; finishes first what a killed run left. Throws what `changeSchema`, `prepareOutside` and `versionOf` throw, and
 * `SCHEMA_DIRECTION` when the target does not lie the way that was asked for.
 */
export async function changeOutside(
  outside: Outside,
  target: Target,
  asked: Way,
  options: ChangeOptions,
): Promise<{ plan: SchemaPlan; done: SchemaResult }> {
  const { database } = outside;
  const open = connector(outside.server);
  const { wanted, owner, way } = await withClient(outside.server, database.name, async (client) => {
    const aim = await aimAt(client, outside, target, asked);
    await prepareOutside(client, database.name, aim.ownership);
    return aim;
  });
  let plan: SchemaPlan | undefined;
  const done = await changeSchema(
    {
      databases: [database],
      wanted: new Map([[database.name, wanted]]),
      release: options.release,
      owner: () => owner,
      onDrift: options.onDrift,
      way,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
    open,
    {
      ...options,
      onPlan: (made) => {
        plan = made;
        for (const note of made.databases.flatMap(({ notes }) => notes))
          options.say(`${note.code}: ${note.text}`);
      },
      onStep: ({ version, name, direction: way }, number, of) =>
        options.say(`${way === "reverse" ? "reversing" : "applying"} ${number}/${of}: ${version} ${name}`),
      onRecovered: (recovered) => {
        for (const each of recovered)
          options.say(`finished what a run left in ${each.database}: ${each.outcome}`);
      },
    },
  );
  if (plan === undefined) throw new Error("a change without a plan");
  return { plan, done };
}

/**
 * As `changeOutside` to where the database stands; when no tracking table says where that is, it is found out by comparing with
 * a scratch database, for which the role has to be allowed to create databases. Throws what `adoptDatabase` throws, too.
 */
export async function adoptOutside(
  outside: Outside,
  { at, despite }: Pick<AdoptOptions, "at" | "despite">,
  options: ChangeOptions,
): Promise<{ plan: SchemaPlan; done: SchemaResult }> {
  const { database, server } = outside;
  const { name } = database;
  const tracked = await withClient(server, name, async (client) => {
    const reader = await layoutReader(database);
    const seen = await observeDatabase(client, database);
    if ((seen.tracked ?? []).length > 0) return undefined;
    const ownership = await ownershipOf(client, reader);
    await prepareOutside(client, name, ownership);
    const { operator } = await rowOf(
      client,
      z.object({ operator: z.string() }),
      "SELECT session_user::text AS operator",
    );
    return { owner: outside.owner ?? ownership.owner, operator };
  });
  if (tracked !== undefined) {
    const { version, migrations, differences } = await adoptDatabase(
      {
        database,
        ...tracked,
        admin: server,
        open: connector(server),
        onVersion: (each, count) =>
          options.say(`${each}: ${count === 0 ? "the same" : `${count} differences`}`),
      },
      { at, despite, release: options.release },
    );
    for (const line of differences) options.say(line);
    options.say(`${name} is at ${version}: ${migrations} migrations recorded`);
  }
  return changeOutside(outside, { steps: 0 }, "up", options);
}

async function aimAt(
  client: ClientBase,
  { database, owner }: Outside,
  target: Target,
  asked: Way | undefined,
): Promise<{ wanted: string; owner: string; way: Way; ownership: Ownership }> {
  const reader = await layoutReader(database);
  const ownership = await ownershipOf(client, reader);
  const files = await readMigrations(database);
  const request = { files, observed: await observeDatabase(client, database), reader };
  const wanted = versionOf(target, request);
  return { wanted, owner: owner ?? ownership.owner, way: wayTo(wanted, asked, request), ownership };
}
