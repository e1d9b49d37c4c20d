import type { ClientBase } from "pg";
import { z } from "zod";
import { ownerRole } from "../../settings/names.ts";
import type { Database } from "../../settings/types.ts";
import { withClient, type Server } from "../database/connection.ts";
import { identifier, inTransaction, literal, rowsOf } from "../database/query.ts";

/** What became of one database. */
export interface HandedOver {
  readonly database: string;
  /** Objects that belong to the owner role now and did not before. */
  readonly objects: number;
  /** Functions that stay a superuser's because they act with its rights. */
  readonly left: readonly string[];
}

const statementRow = z.object({ statement: z.string() });

/**
 * Gives a database, and what superusers, its former owner and the `writers` own in it, to its owner role, in one transaction;
 * former owners that are no superuser become members of that role, so that they still can what they could. Safe to repeat.
 */
export async function handOver(server: Server, database: Database): Promise<HandedOver> {
  const owner = ownerRole(database.name);
  return withClient(server, database.name, async (client) =>
    inTransaction(client, async () => {
      await client.query(ownerStatement(owner));
      const former = await formerOwners(client, database);
      const left = await rowsOf(client, z.object({ name: z.string() }), definersSelect, [former]);
      const moves = await rowsOf(client, statementRow, movesSelect(owner), [former]);
      for (const { statement } of moves) await client.query(statement);
      const members = await rowsOf(client, statementRow, membersSelect(owner), [former]);
      for (const { statement } of members) await client.query(statement);
      await client.query(`ALTER DATABASE ${identifier(database.name)} OWNER TO ${identifier(owner)}`);
      return { database: database.name, objects: moves.length, left: left.map(({ name }) => name) };
    }),
  );
}

/** Makes the role unless it is there. */
export function ownerStatement(owner: string): string {
  return `DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(owner)}) THEN CREATE ROLE ${identifier(owner)} NOLOGIN; END IF; END $do$`;
}

/** Names of roles whose things change hands. */
async function formerOwners(client: ClientBase, { writers }: Database): Promise<string[]> {
  const found = await rowsOf(
    client,
    z.object({ name: z.string() }),
    `select rolname as name from pg_roles r
      where rolsuper or rolname = any($1) or oid = (select datdba from pg_database where datname = current_database())`,
    [writers],
  );
  return found.map(({ name }) => name);
}

/** Schemas of the application, and not what belongs to an extension. */
const ours = (classname: string, namespace: string): string =>
  `n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'rollback')
     and ${namespace} = n.oid and not exists (select from pg_depend d
           where d.classid = '${classname}'::regclass and d.objid = o.oid and d.deptype = 'e')`;

const owned = (column: string): string => `pg_get_userbyid(${column}) = any($1)`;

/** A function that acts with its owner's rights may need a superuser's. */
const definer = "o.prosecdef and (select rolsuper from pg_roles where oid = o.proowner)";

const definersSelect = `
  select o.oid::regprocedure::text as name from pg_proc o, pg_namespace n
   where ${ours("pg_proc", "o.pronamespace")} and ${owned("o.proowner")} and ${definer} order by 1`;

/** `ALTER … OWNER TO` for everything that changes hands; indexes and sequences of a column follow their table. Pure. */
export function movesSelect(owner: string): string {
  const to = literal(` OWNER TO ${identifier(owner)}`);
  const named = (kind: string, catalogue: string, name: string, namespace: string, role: string): string =>
    `select format('ALTER ${kind} %I.%I', n.nspname, o.${name}) || ${to} as statement
       from ${catalogue} o, pg_namespace n where ${ours(catalogue, `o.${namespace}`)} and ${owned(`o.${role}`)}`;
  return [
    `select format('ALTER SCHEMA %I', o.nspname) || ${to} as statement from pg_namespace o, pg_namespace n
      where ${ours("pg_namespace", "o.oid")} and ${owned("o.nspowner")}`,
    `select format('ALTER %s %I.%I', case o.relkind when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW'
              when 'S' then 'SEQUENCE' when 'f' then 'FOREIGN TABLE' when 'c' then 'TYPE' else 'TABLE' end, n.nspname, o.relname) || ${to}
       from pg_class o, pg_namespace n
      where o.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and ${ours("pg_class", "o.relnamespace")} and ${owned("o.relowner")}
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = o.oid
              and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and o.relkind = 'S')`,
    `select format('ALTER ROUTINE %s', o.oid::regprocedure) || ${to} from pg_proc o, pg_namespace n
      where ${ours("pg_proc", "o.pronamespace")} and ${owned("o.proowner")} and not (${definer})
        and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = o.oid and d.deptype = 'i')`,
    `select format('ALTER %s %I.%I', case o.typtype when 'd' then 'DOMAIN' else 'TYPE' end, n.nspname, o.typname) || ${to}
       from pg_type o, pg_namespace n
      where o.typtype in ('d', 'e', 'r') and ${ours("pg_type", "o.typnamespace")} and ${owned("o.typowner")}`,
    named("COLLATION", "pg_collation", "collname", "collnamespace", "collowner"),
    named("CONVERSION", "pg_conversion", "conname", "connamespace", "conowner"),
    named("STATISTICS", "pg_statistic_ext", "stxname", "stxnamespace", "stxowner"),
    named("TEXT SEARCH CONFIGURATION", "pg_ts_config", "cfgname", "cfgnamespace", "cfgowner"),
    named("TEXT SEARCH DICTIONARY", "pg_ts_dict", "dictname", "dictnamespace", "dictowner"),
    `select format('ALTER LARGE OBJECT %s', o.oid) || ${to} from pg_largeobject_metadata o where ${owned("o.lomowner")}`,
  ].join("\nunion all ");
}

function membersSelect(owner: string): string {
  return `
    select format('GRANT %I TO %I', ${literal(owner)}, rolname) as statement from pg_roles r
     where rolname = any($1) and not rolsuper and rolname <> ${literal(owner)} and not pg_has_role(r.oid, ${literal(owner)}, 'MEMBER')`;
}
