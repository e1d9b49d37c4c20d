import type { AlterTableCmd, ColumnDef, Constraint, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameOf } from "../sql/names.ts";
import { locksOf } from "../sql/locks.ts";
import { isRecord, kindOf, walk } from "../sql/parse.ts";

/** What a statement has to read or write while it holds its locks: nothing, whole tables, or nobody knows what. */
export type Work =
  | { readonly kind: "none" }
  | { readonly kind: "tables"; readonly tables: readonly TableName[]; readonly what: string }
  | { readonly kind: "unknown" };

const none: Work = { kind: "none" };

/** How much work a statement is, as far as its text tells; what is not known to be quick is not taken for it. Pure. */
export function workOf(node: Node): Work {
  if ("AlterTableStmt" in node) {
    const table = nameOf(node.AlterTableStmt.relation);
    const cmds = (node.AlterTableStmt.cmds ?? []).flatMap((each) =>
      "AlterTableCmd" in each ? [each.AlterTableCmd] : [],
    );
    const works = cmds.map((command) => alteration(command)).filter((what) => what !== undefined);
    return works.length === 0 ? none : onTables(table === undefined ? [] : [table], works.join(" and "));
  }
  if ("IndexStmt" in node) {
    const table = nameOf(node.IndexStmt.relation);
    return onTables(table === undefined ? [] : [table], "builds an index on");
  }
  if ("DoStmt" in node || "CallStmt" in node || "ExecuteStmt" in node || "RefreshMatViewStmt" in node)
    return { kind: "unknown" };
  const kind = kindOf(node);
  if (reading.test(kind)) {
    // Of WITH and sub-selects, too, whatever they are locked for.
    const tables = locksOf(node).map((lock) => lock.table);
    return tables.length === 0 && !callsFunctions(node) ? none : onTables(tables, "reads");
  }
  return quick.has(kind) ? none : { kind: "unknown" };
}

const reading = /^(Select|Insert|Update|Delete|Merge|CreateTableAs)Stmt$/;

/** They change the catalogue only. Dropping and emptying unlink files; what they keep is reckoned elsewhere. */
const quick = new Set(
  `AlterEnumStmt AlterFunctionStmt AlterObjectSchemaStmt AlterOwnerStmt AlterPolicyStmt AlterSeqStmt CommentStmt CompositeTypeStmt
  CreateDomainStmt CreateEnumStmt CreateExtensionStmt CreateFunctionStmt CreatePolicyStmt CreateRangeStmt CreateSchemaStmt
  CreateSeqStmt CreateStatsStmt CreateStmt CreateTrigStmt DropStmt GrantStmt RenameStmt RuleStmt TruncateStmt VariableSetStmt
  VariableShowStmt ViewStmt`.split(/\s+/),
);

/** What an alteration reads or rewrites; undefined: the catalogue only. */
function alteration({ subtype, def }: AlterTableCmd): string | undefined {
  switch (subtype) {
    case "AT_AddColumn":
      return def !== undefined && "ColumnDef" in def ? column(def.ColumnDef) : "rewrites";
    case "AT_AddConstraint":
      return def !== undefined && "Constraint" in def ? constraint(def.Constraint) : "reads";
    case "AT_SetNotNull":
    case "AT_ValidateConstraint":
    case "AT_AttachPartition":
      return "reads";
    default:
      return catalogueOnly.has(subtype ?? "") ? undefined : "rewrites";
  }
}

const catalogueOnly = new Set(
  `AT_ColumnDefault AT_DropNotNull AT_DropColumn AT_DropConstraint AT_DropExpression AT_SetStatistics AT_SetOptions AT_ResetOptions
  AT_SetStorage AT_SetCompression AT_SetRelOptions AT_ResetRelOptions AT_ReplaceRelOptions AT_ClusterOn AT_DropCluster AT_EnableTrig
  AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll AT_DisableTrigAll AT_EnableTrigUser AT_DisableTrigUser
  AT_EnableRule AT_DisableRule AT_AddInherit AT_DropInherit AT_ChangeOwner AT_DetachPartition AT_ReplicaIdentity AT_EnableRowSecurity
  AT_DisableRowSecurity AT_ForceRowSecurity AT_NoForceRowSecurity AT_AddIdentity AT_SetIdentity AT_DropIdentity AT_AlterConstraint`.split(
    /\s+/,
  ),
);

/** PostgreSQL 11 and newer keep a constant default in the catalogue; one that differs by row is written into each. */
function column({ constraints = [], typeName }: ColumnDef): string | undefined {
  // Serials draw a number for each row, and a domain may have a constraint to check.
  const type = typeName?.names?.flatMap((each) => ("String" in each ? (each.String.sval ?? "") : [])) ?? [];
  if (type[0] !== "pg_catalog" && !plainTypes.has(type.at(-1) ?? "")) return "rewrites";
  const all = constraints.flatMap((each): Constraint[] => ("Constraint" in each ? [each.Constraint] : []));
  if (all.some(({ contype }) => contype === "CONSTR_GENERATED" || contype === "CONSTR_IDENTITY"))
    return "rewrites";
  if (all.some(({ contype, raw_expr: value }) => contype === "CONSTR_DEFAULT" && variesByRow(value)))
    return "rewrites";
  const checked = new Set(["CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_FOREIGN"]);
  return all.some(({ contype = "" }) => checked.has(contype)) ? "reads" : undefined;
}

const plainTypes = new Set(
  "bytea cidr date inet json jsonb macaddr money name oid text time timestamp timestamptz tsvector uuid xml".split(
    " ",
  ),
);

function constraint({ skip_validation: unchecked, indexname }: Constraint): string | undefined {
  return unchecked === true || indexname !== undefined ? undefined : "reads";
}

/** `now()` and the like are the same for every row of a statement; of any other function that is not known. */
function variesByRow(expression: unknown): boolean {
  const stable = new Set(["now", "transaction_timestamp", "statement_timestamp"]);
  return calledNames(expression).some((name) => !stable.has(name));
}

function callsFunctions(node: unknown): boolean {
  return calledNames(node).length > 0;
}

function calledNames(node: unknown): string[] {
  const names: string[] = [];
  walk(node, (kind, { funcname }) => {
    if (kind !== "FuncCall" || !Array.isArray(funcname)) return;
    const last: unknown = funcname.at(-1);
    const text = isRecord(last) && isRecord(last["String"]) ? last["String"]["sval"] : undefined;
    names.push(typeof text === "string" ? text.toLowerCase() : "");
  });
  return names;
}

function onTables(tables: readonly TableName[], what: string): Work {
  return { kind: "tables", tables, what };
}
