import type { Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameOf, stringsOf } from "./names.ts";
import { isRecord, kindOf, some, walk } from "./parse.ts";

/** What the parser's tree says about how a statement may be run; pure look-ups, one question each. */

export type TransactionControl = "begin" | "commit" | "rollback" | "savepoint" | "two-phase";

/** Transaction control that the statement is; `plain` is false when options or chaining make it more than a bracket. */
export function transactionControl(node: Node): { kind: TransactionControl; plain: boolean } | undefined {
  if (!("TransactionStmt" in node)) return undefined;
  const { kind, options, chain } = node.TransactionStmt;
  const plain = (options ?? []).length === 0 && chain !== true;
  switch (kind) {
    case "TRANS_STMT_BEGIN":
    case "TRANS_STMT_START":
      return { kind: "begin", plain };
    case "TRANS_STMT_COMMIT":
      return { kind: "commit", plain };
    case "TRANS_STMT_ROLLBACK":
      return { kind: "rollback", plain };
    case "TRANS_STMT_SAVEPOINT":
    case "TRANS_STMT_RELEASE":
    case "TRANS_STMT_ROLLBACK_TO":
      return { kind: "savepoint", plain };
    default:
      return { kind: "two-phase", plain };
  }
}

/** Whether the statement changes the role or the session's user: it would leave the owner role that migrations run as. */
export function changesRole(node: Node): boolean {
  if (!("VariableSetStmt" in node)) return false;
  const name = (node.VariableSetStmt.name ?? "").toLowerCase();
  return name === "role" || name === "session_authorization";
}

/** Whether the statement leaves settings behind that the next step must not inherit. */
export function changesSettings(node: Node): boolean {
  return "VariableSetStmt" in node || "DiscardStmt" in node || calledFunctions(node).includes("set_config");
}

/**
 * Why the statement cannot run inside a transaction, or undefined. `concurrently` marks those whose plain form, without
 * the word CONCURRENTLY, does the same under a stronger lock.
 */
export function outsideTransaction(node: Node): { reason: string; concurrently: boolean } | undefined {
  const no = (reason: string, concurrently = false) => ({ reason, concurrently });
  if ("IndexStmt" in node && node.IndexStmt.concurrent === true) return no("CREATE INDEX CONCURRENTLY", true);
  if ("DropStmt" in node && node.DropStmt.concurrent === true) return no("DROP INDEX CONCURRENTLY", true);
  if ("ReindexStmt" in node) {
    const concurrently = hasOption(node.ReindexStmt.params, "concurrently");
    const kind = node.ReindexStmt.kind;
    if (kind !== "REINDEX_OBJECT_INDEX" && kind !== "REINDEX_OBJECT_TABLE")
      return no("REINDEX of more than a table");
    return concurrently ? no("REINDEX CONCURRENTLY", true) : undefined;
  }
  if ("AlterTableStmt" in node) {
    const detach = some(node, (kind, fields) => kind === "PartitionCmd" && fields["concurrent"] === true);
    if (detach) return no("DETACH PARTITION … CONCURRENTLY", true);
  }
  if ("VacuumStmt" in node) return node.VacuumStmt.is_vacuumcmd === true ? no("VACUUM") : undefined;
  if ("ClusterStmt" in node && node.ClusterStmt.relation === undefined) return no("CLUSTER of all tables");
  if ("CreatedbStmt" in node) return no("CREATE DATABASE");
  if ("DropdbStmt" in node) return no("DROP DATABASE");
  if ("CreateTableSpaceStmt" in node) return no("CREATE TABLESPACE");
  if ("DropTableSpaceStmt" in node) return no("DROP TABLESPACE");
  if ("AlterSystemStmt" in node) return no("ALTER SYSTEM");
  if ("CreateSubscriptionStmt" in node) return no("CREATE SUBSCRIPTION");
  if ("DropSubscriptionStmt" in node) return no("DROP SUBSCRIPTION");
  if ("DiscardStmt" in node && node.DiscardStmt.target === "DISCARD_ALL") return no("DISCARD ALL");
  return undefined;
}

/** Whether the statement makes a setting of the session or the transaction. */
export function makesSetting(node: Node): boolean {
  return "VariableSetStmt" in node;
}

/** The index that CREATE INDEX builds, by name, and its table. */
export function builtIndex(node: Node): { index: string | undefined; table: TableName } | undefined {
  const table = "IndexStmt" in node ? nameOf(node.IndexStmt.relation) : undefined;
  if (!("IndexStmt" in node) || table === undefined) return undefined;
  return { index: node.IndexStmt.idxname, table };
}

/** The partition that ALTER TABLE … DETACH PARTITION takes from its table. */
export function detachedPartition(node: Node): { partition: TableName; table: TableName } | undefined {
  if (!("AlterTableStmt" in node)) return undefined;
  const table = nameOf(node.AlterTableStmt.relation);
  for (const each of node.AlterTableStmt.cmds ?? []) {
    const command = "AlterTableCmd" in each ? each.AlterTableCmd : undefined;
    if (command?.subtype !== "AT_DetachPartition" || command.def === undefined) continue;
    const partition = "PartitionCmd" in command.def ? nameOf(command.def.PartitionCmd.name) : undefined;
    if (table !== undefined && partition !== undefined) return { partition, table };
  }
  return undefined;
}

/** The label that ALTER TYPE … ADD VALUE adds; the type by its last name. */
export function addedLabel(node: Node): { type: string; label: string } | undefined {
  if (!("AlterEnumStmt" in node)) return undefined;
  const { oldVal, newVal, typeName } = node.AlterEnumStmt;
  if (newVal === undefined || (oldVal !== undefined && oldVal !== "")) return undefined;
  return { type: stringsOf(typeName).at(-1) ?? "", label: newVal };
}

const adopts = new Set<unknown>(["AT_AddInherit", "AT_AttachPartition"]);

/** Whether the statement may put rows into a table, or make a name mean another table. */
export function fills(node: Node): boolean {
  const kinds = ["RenameStmt", "AlterObjectSchemaStmt", "CopyStmt", "CreateTableAsStmt", "VariableSetStmt"];
  return (
    opaqueness(node) !== undefined ||
    kinds.includes(kindOf(node)) ||
    // Also by a trigger of what is updated or deleted, or by becoming the parent of a table with rows.
    some(node, (kind, { subtype }) => /^(Insert|Merge|Update|Delete)Stmt$/.test(kind) || adopts.has(subtype))
  );
}

/** Why the statement's effect cannot be known from its text, or undefined. */
export function opaqueness(node: Node): string | undefined {
  if ("DoStmt" in node) return "a DO block";
  if ("CallStmt" in node) return "CALL of a procedure";
  if ("ExecuteStmt" in node) return "EXECUTE of a prepared statement";
  const query = ["SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt"];
  if (!query.includes(kindOf(node))) return undefined;
  const unknown = calledFunctions(node, true).find((name) => !harmless.has(name));
  return unknown === undefined ? undefined : `a call of ${unknown}()`;
}

/** Names of functions that the statement calls, without schema, lower case; `foreign`: without those of pg_catalog. */
function calledFunctions(node: Node, foreign = false): string[] {
  const names: string[] = [];
  walk(node, (kind, fields) => {
    if (kind !== "FuncCall" || !Array.isArray(fields["funcname"])) return;
    const parts = fields["funcname"].flatMap((each: unknown) =>
      isRecord(each) && isRecord(each["String"]) && typeof each["String"]["sval"] === "string"
        ? [each["String"]["sval"].toLowerCase()]
        : [],
    );
    const name = parts.at(-1);
    if (name !== undefined && !(foreign && parts.length > 1 && parts[0] === "pg_catalog")) names.push(name);
  });
  return names;
}

function hasOption(params: readonly Node[] | undefined, name: string): boolean {
  return (params ?? []).some((each) => "DefElem" in each && each.DefElem.defname === name);
}

/** Built-in functions that change no data a migration could lose. A user's function of that name would have to shadow pg_catalog. */
const harmless = new Set(
  `set_config current_setting setval nextval currval lastval now statement_timestamp clock_timestamp transaction_timestamp
  timeofday age date_trunc date_part extract make_date make_interval make_timestamp make_timestamptz to_char to_date to_timestamp
  to_number timezone generate_series gen_random_uuid uuid_generate_v4 random md5 sha256 encode decode digest convert_from convert_to
  lower upper initcap length char_length octet_length trim btrim ltrim rtrim substr substring replace translate left right lpad rpad
  repeat reverse split_part string_to_array array_to_string string_agg array_agg regexp_replace regexp_match regexp_matches
  regexp_split_to_array regexp_split_to_table position strpos concat concat_ws format quote_ident quote_literal quote_nullable ascii chr
  coalesce nullif greatest least abs ceil ceiling floor round trunc sign sqrt power pow mod div exp ln log
  count sum avg min max bool_and bool_or every bit_and bit_or stddev variance row_number rank dense_rank ntile lag lead first_value
  last_value nth_value percentile_cont percentile_disc mode corr
  json_build_object jsonb_build_object json_build_array jsonb_build_array to_json to_jsonb row_to_json json_agg jsonb_agg
  json_object_agg jsonb_object_agg jsonb_set jsonb_insert jsonb_strip_nulls json_array_elements jsonb_array_elements
  json_array_elements_text jsonb_array_elements_text json_each jsonb_each json_each_text jsonb_each_text json_object_keys jsonb_object_keys
  json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_typeof jsonb_typeof json_array_length
  jsonb_array_length jsonb_populate_record json_populate_record jsonb_to_recordset jsonb_object json_object jsonb_pretty
  array_append array_prepend array_cat array_remove array_replace array_length array_position cardinality unnest array_upper array_lower
  to_tsvector to_tsquery plainto_tsquery setweight ts_rank exists version pg_typeof pg_get_serial_sequence to_regclass to_regtype
  pg_table_size pg_total_relation_size pg_relation_size obj_description col_description version current_schema current_database overlay
  array_fill int4range int8range numrange tsrange tstzrange daterange isempty lower_inc upper_inc`.split(
    /\s+/,
  ),
);
