import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOfEach } from "../../database/query.ts";

/**
 * A cheap mark of the catalogue's row versions: equal marks mean that nothing was changed at all, different ones mean nothing
 * (a restored dump has other row versions). Thousands of objects are marked in milliseconds, while describing them takes long.
 * Statements `before` it make the same round trip.
 */
export async function catalogueMark(client: ClientBase, before: readonly string[] = []): Promise<string> {
  const results = await rowsOfEach(client, [...before, markSql]);
  return markOf(results.at(-1));
}

/** The mark from what `markSql` gives. */
export function markOf(rows: unknown): string {
  return markRows.parse(rows)[0].mark;
}

const markRows = z.tuple([z.object({ mark: z.string() })]);

/** The system catalogues that hold anything of the application's, read from a mark. */
export function presentIn(mark: string): ReadonlySet<string> {
  return new Set(mark.split(" ").map((each) => each.replace(/-?\d+:\d+$/, "")));
}

const version = (oid: string) =>
  `bit_xor(hashint8extended(${oid}::bigint, x.xmin::text::bigint)) || ':' || count(*)`;
const ofRelation = (catalog: string, relation: string, oid = "x.oid") =>
  `SELECT '${catalog}' AS catalog, ${version(oid)} AS mark FROM ${catalog} x JOIN rel ON rel.oid = x.${relation}`;
const ofSchema = (catalog: string, namespace: string) =>
  `SELECT '${catalog}' AS catalog, ${version("x.oid")} AS mark FROM ${catalog} x JOIN ns ON ns.oid = x.${namespace}`;
const ofUsers = (catalog: string, object: string, oid = "x.oid") =>
  `SELECT '${catalog}' AS catalog, ${version(oid)} AS mark FROM ${catalog} x WHERE x.${object} >= 16384`;

/** Over the ids and row versions of what `catalogueSql` reads; role memberships are left out, as releases come and go. */
export const markSql = `
WITH ns AS MATERIALIZED (
  SELECT oid FROM pg_namespace WHERE nspname NOT IN ('rollback', 'information_schema') AND nspname !~ '^pg_'
), rel AS MATERIALIZED (SELECT c.oid FROM pg_class c JOIN ns ON ns.oid = c.relnamespace)
SELECT coalesce(string_agg(catalog || mark, ' ' ORDER BY catalog COLLATE "C"), '') AS mark FROM (
  SELECT 'pg_namespace' AS catalog, ${version("x.oid")} AS mark FROM pg_namespace x JOIN ns ON ns.oid = x.oid
  UNION ALL ${[
    ofSchema("pg_class", "relnamespace"),
    ofSchema("pg_proc", "pronamespace"),
    ofSchema("pg_type", "typnamespace"),
    ofSchema("pg_constraint", "connamespace"),
    ofSchema("pg_operator", "oprnamespace"),
    ofSchema("pg_opclass", "opcnamespace"),
    ofSchema("pg_collation", "collnamespace"),
    ofSchema("pg_ts_config", "cfgnamespace"),
    ofSchema("pg_ts_dict", "dictnamespace"),
    ofSchema("pg_statistic_ext", "stxnamespace"),
    ofRelation("pg_attribute", "attrelid", "x.attrelid::bigint * 2048 + x.attnum"),
    ofRelation("pg_attrdef", "adrelid"),
    ofRelation("pg_index", "indexrelid", "x.indexrelid"),
    ofRelation("pg_sequence", "seqrelid", "x.seqrelid"),
    ofRelation("pg_trigger", "tgrelid"),
    ofRelation("pg_rewrite", "ev_class"),
    ofRelation("pg_policy", "polrelid"),
    ofRelation("pg_foreign_table", "ftrelid", "x.ftrelid"),
    ofRelation("pg_inherits", "inhrelid", "x.inhrelid::bigint * 4294967296 + x.inhparent::bigint"),
    ofSchema("pg_opfamily", "opfnamespace"),
    ofSchema("pg_conversion", "connamespace"),
    ofUsers("pg_amop", "oid"),
    ofUsers("pg_amproc", "oid"),
    ofUsers("pg_extension", "oid"),
    ofUsers("pg_language", "oid"),
    ofUsers("pg_foreign_data_wrapper", "oid"),
    ofUsers("pg_publication_rel", "oid"),
    ofUsers("pg_publication_namespace", "oid"),
    ofUsers("pg_ts_config_map", "mapcfg", "x.mapcfg::bigint * 4096 + x.maptokentype * 16 + x.mapseqno"),
    // What owns a sequence is nowhere else.
    `SELECT 'pg_depend' AS catalog, ${version("x.objid::bigint * 2048 + x.refobjsubid")} AS mark FROM pg_depend x JOIN rel ON rel.oid = x.objid WHERE x.classid = 'pg_class'::regclass AND x.refobjsubid > 0 AND x.deptype IN ('a', 'i')`,
    ofUsers("pg_enum", "oid"),
    ofUsers("pg_cast", "oid"),
    ofUsers("pg_event_trigger", "oid"),
    ofUsers("pg_publication", "oid"),
    ofUsers("pg_foreign_server", "oid"),
    ofUsers("pg_default_acl", "oid"),
    ofUsers("pg_description", "objoid", "x.objoid::bigint * 2048 + x.objsubid"),
  ].join("\n  UNION ALL ")}
) AS marks`;
