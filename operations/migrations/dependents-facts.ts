import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../database/query.ts";
import type { Drop } from "./sql/drops.ts";
import { quoteName } from "./sql/names.ts";

/** What the catalogue says depends on a thing and does not go with it. */
export interface Dependent {
  /** For people, e.g. `view public.light`. */
  readonly what: string;
  /** Its own name, without schema or table. */
  readonly name: string;
  /** Statement that drops it and nothing else; undefined: there is none. */
  readonly drop: string | undefined;
  /** Numbers of those of the things asked about that it goes with. */
  readonly goesWith: readonly number[];
}

const dependentRow = z.object({
  n: z.number(),
  type: z.string(),
  identity: z.string(),
  name: z.string(),
  goes_with: z.array(z.number()),
});

/** Asks what depends on each of the things, in their order; on what is not there nothing does. */
export async function dependentsOf(client: ClientBase, drops: readonly Drop[]): Promise<Dependent[][]> {
  const asked = drops.map(({ kind, name, part, takes }, n) => ({
    n,
    kind,
    name: quoteName(name),
    schema: name.schema ?? null,
    part: part ?? name.name,
    takes: takes ?? null,
  }));
  const rows = await rowsOf(client, dependentRow, dependentsSql, [JSON.stringify(asked)]);
  const found = drops.map((): Dependent[] => []);
  for (const { n, type, identity, name, goes_with: goesWith } of rows)
    found[n]?.push({ what: `${type} ${identity}`, name, drop: dropping(type, identity), goesWith });
  return found;
}

const droppable = new Set(
  "view,materialized view,policy,trigger,event trigger,function,procedure,aggregate,operator,cast,index,sequence,type,domain".split(
    ",",
  ),
);

/** `identity` is as PostgreSQL quotes it, e.g. `fk on public.logs`. */
function dropping(type: string, identity: string): string | undefined {
  const [, name, table] = /^(.+) on (.+)$/s.exec(identity) ?? [];
  if (type === "table constraint" && name !== undefined && table !== undefined)
    return `ALTER TABLE ${table} DROP CONSTRAINT ${name};`;
  return droppable.has(type) ? `DROP ${type.toUpperCase()} ${identity};` : undefined;
}

/*
 * The one routine that the name means. Types are looked up one by one: before PostgreSQL 16 to_regprocedure stops at one that is not
 * there.
 */
const routine = `(SELECT CASE count(*) WHEN 1 THEN min(p.oid) END FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
          WHERE p.proname = w.part AND CASE WHEN w.schema IS NULL THEN pg_function_is_visible(p.oid) ELSE s.nspname = w.schema END
            AND (w.takes IS NULL OR p.proargtypes::text = coalesce((SELECT string_agg(coalesce(to_regtype(t.name)::oid::text, '?'), ' ' ORDER BY t.at)
              FROM unnest(w.takes) WITH ORDINALITY AS t(name, at)), '')))`;

/*
 * As PostgreSQL does it: with a thing goes what is a part of it (`owned`); what needs any of that in the usual way keeps it from
 * being dropped. What is itself a part of something, as a view's rule is of the view, stands for that.
 */
const dependentsSql = `
  WITH RECURSIVE asked AS MATERIALIZED (
    SELECT w.n, CASE w.kind WHEN 'type' THEN 'pg_type'::regclass WHEN 'schema' THEN 'pg_namespace'::regclass
        WHEN 'constraint' THEN 'pg_constraint'::regclass WHEN 'extension' THEN 'pg_extension'::regclass
        WHEN 'function' THEN 'pg_proc'::regclass WHEN 'procedure' THEN 'pg_proc'::regclass WHEN 'aggregate' THEN 'pg_proc'::regclass
        ELSE 'pg_class'::regclass END::oid AS classid,
      CASE w.kind WHEN 'type' THEN to_regtype(w.name)::oid WHEN 'schema' THEN to_regnamespace(w.name)::oid
        WHEN 'constraint' THEN (SELECT k.oid FROM pg_constraint k WHERE k.conrelid = to_regclass(w.name) AND k.conname = w.part)
        WHEN 'extension' THEN (SELECT e.oid FROM pg_extension e WHERE e.extname = w.part)
        WHEN 'function' THEN ${routine} WHEN 'procedure' THEN ${routine} WHEN 'aggregate' THEN ${routine}
        ELSE to_regclass(w.name)::oid END AS objid,
      CASE WHEN w.kind = 'column' THEN (SELECT a.attnum::int FROM pg_attribute a
        WHERE a.attrelid = to_regclass(w.name) AND a.attname = w.part AND NOT a.attisdropped) ELSE 0 END AS objsubid
    FROM jsonb_to_recordset($1) AS w(n int, kind text, name text, schema text, part text, takes text[])
  ), owned(n, classid, objid, objsubid) AS (
    SELECT n, classid, objid, objsubid FROM asked WHERE objid IS NOT NULL AND objsubid IS NOT NULL
    UNION
    SELECT o.n, d.classid, d.objid, d.objsubid FROM owned o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
      AND (o.objsubid = 0 OR d.refobjsubid = o.objsubid) AND d.deptype IN ('a', 'i', 'P', 'S', 'e')
  ), needing AS (
    SELECT DISTINCT o.n, coalesce(w.refclassid, d.classid) AS classid, coalesce(w.refobjid, d.objid) AS objid,
      coalesce(w.refobjsubid, d.objsubid) AS objsubid
    FROM owned o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
      AND (o.objsubid = 0 OR d.refobjsubid = o.objsubid) AND d.deptype = 'n'
    LEFT JOIN pg_depend w ON w.classid = d.classid AND w.objid = d.objid AND w.deptype = 'i' AND d.classid IN ('pg_rewrite'::regclass, 'pg_attrdef'::regclass)
  ), outside AS (
    SELECT g.*, i.type, i.identity, a.address FROM needing g
      CROSS JOIN LATERAL pg_identify_object(g.classid, g.objid, g.objsubid) i
      CROSS JOIN LATERAL (SELECT object_names AS address FROM pg_identify_object_as_address(g.classid, g.objid, g.objsubid)) a
    WHERE NOT EXISTS (SELECT FROM owned o WHERE o.n = g.n AND o.classid = g.classid AND o.objid = g.objid AND o.objsubid IN (0, g.objsubid))
  )
  SELECT o.n, o.type, o.identity, o.address[cardinality(o.address)] AS name,
    ARRAY(SELECT w.n FROM owned w WHERE w.classid = o.classid AND w.objid = o.objid AND w.objsubid IN (0, o.objsubid)) AS goes_with
  FROM outside o ORDER BY o.n, o.type, o.identity`;
