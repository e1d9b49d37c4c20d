import type { AlterTableCmd, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameOf } from "../sql/names.ts";
import { locksOf } from "../sql/locks.ts";
import { kindOf } from "../sql/parse.ts";
import { calledFunctions } from "../sql/preparing.ts";
import { worksOf } from "../sql/work.ts";

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
    const what = alterations(node, cmds);
    return what === undefined ? none : onTables(table === undefined ? [] : [table], what);
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
    return tables.length === 0 && calledFunctions(node).length === 0 ? none : onTables(tables, "reads");
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

/** What alterations read or rewrite; undefined: the catalogue only. What the catalogue might spare counts all the same. */
function alterations(node: Node, cmds: readonly AlterTableCmd[]): string | undefined {
  const judged = new Set(worksOf(node).map(({ how }) => (how === "rewrites" ? "rewrites" : "reads")));
  const unknown = cmds.some(({ subtype = "" }) => !judgedByText.has(subtype) && !catalogueOnly.has(subtype));
  if (unknown) judged.add("rewrites");
  return judged.size === 0 ? undefined : [...judged].sort().join(" and ");
}

/** Whose work `worksOf` tells. */
const judgedByText = new Set([
  ...["AT_AddColumn", "AT_AddConstraint", "AT_AlterColumnType", "AT_SetNotNull", "AT_ValidateConstraint"],
  ...["AT_AttachPartition", "AT_SetLogged", "AT_SetUnLogged"],
  ...["AT_SetTableSpace", "AT_SetAccessMethod", "AT_SetExpression"],
]);

const catalogueOnly = new Set(
  `AT_ColumnDefault AT_DropNotNull AT_DropColumn AT_DropConstraint AT_DropExpression AT_SetStatistics AT_SetOptions AT_ResetOptions
  AT_SetStorage AT_SetCompression AT_SetRelOptions AT_ResetRelOptions AT_ReplaceRelOptions AT_ClusterOn AT_DropCluster AT_EnableTrig
  AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll AT_DisableTrigAll AT_EnableTrigUser AT_DisableTrigUser
  AT_EnableRule AT_DisableRule AT_AddInherit AT_DropInherit AT_ChangeOwner AT_DetachPartition AT_ReplicaIdentity AT_EnableRowSecurity
  AT_DisableRowSecurity AT_ForceRowSecurity AT_NoForceRowSecurity AT_AddIdentity AT_SetIdentity AT_DropIdentity AT_AlterConstraint`.split(
    /\s+/,
  ),
);

function onTables(tables: readonly TableName[], what: string): Work {
  return { kind: "tables", tables, what };
}
