import type { AlterTableCmd, ColumnDef, Constraint, DropStmt, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameFromParts, nameOf, showName, stringsOf } from "../sql/names.ts";
import { kindOf, some } from "../sql/parse.ts";

/**
 * Why a release that was written for the schema before a statement may fail after it. What is not known to be harmless
 * disturbs.
 * - `certain`: the text says it;
 * - `unless`: the catalogue tells: of an index, that it enforces nothing; of a constraint, that it is a mere CHECK.
 */
export type Disturbance =
  | { readonly kind: "certain"; readonly why: string }
  | { readonly kind: "unless"; readonly index: TableName }
  | { readonly kind: "unless"; readonly constraint: string; readonly table: TableName };

/** What a statement may do to releases that know nothing of it; empty: nothing. Pure. */
export function disturbancesOf(node: Node): Disturbance[] {
  if ("AlterTableStmt" in node) {
    const { relation, cmds = [], objtype } = node.AlterTableStmt;
    const table = nameOf(relation);
    if (table === undefined || (objtype !== undefined && objtype !== "OBJECT_TABLE"))
      return certain("alters something that is no table");
    return cmds.flatMap((each) =>
      "AlterTableCmd" in each ? alteration(table, each.AlterTableCmd) : certain("alters a table"),
    );
  }
  if ("DropStmt" in node) return removals(node.DropStmt);
  if ("IndexStmt" in node)
    return node.IndexStmt.unique === true ? certain("refuses rows by a unique index") : [];
  if ("CreateStmt" in node) {
    if (node.CreateStmt.partbound !== undefined || (node.CreateStmt.inhRelations ?? []).length > 0)
      return certain("makes a table part of another");
    const refers = some(node, (kind, { contype }) => kind === "Constraint" && contype === "CONSTR_FOREIGN");
    return refers ? certain("refuses deletions by a foreign key") : [];
  }
  if ("ViewStmt" in node) return node.ViewStmt.replace === true ? certain("replaces a view") : [];
  if ("CreateFunctionStmt" in node)
    return node.CreateFunctionStmt.replace === true ? certain("replaces a function") : [];
  if ("GrantStmt" in node) return node.GrantStmt.is_grant === true ? [] : certain("takes a privilege away");
  if ("RenameStmt" in node) return renaming(node);
  if ("SelectStmt" in node)
    return some(node, (kind) => kind === "FuncCall" || kind === "IntoClause")
      ? certain("calls functions")
      : [];
  const kind = kindOf(node);
  return harmless.has(kind) ? [] : certain(elsewise[kind] ?? "does what is not known to be harmless");
}

/** They add something that nobody knows yet, or that nobody's statements depend on. */
const harmless = new Set([
  "CommentStmt",
  "CompositeTypeStmt",
  "CreateDomainStmt",
  "CreateEnumStmt",
  "CreateExtensionStmt",
  "CreateRangeStmt",
  "CreateSchemaStmt",
  "CreateSeqStmt",
  "CreateStatsStmt",
  "CreateTableAsStmt",
  "VacuumStmt",
  "VariableSetStmt",
  "VariableShowStmt",
]);

const elsewise: Readonly<Partial<Record<string, string>>> = {
  DeleteStmt: "deletes rows",
  InsertStmt: "puts rows in",
  UpdateStmt: "changes rows",
  MergeStmt: "changes rows",
  TruncateStmt: "empties a table",
  DoStmt: "runs a DO block, whose effect cannot be known",
  CallStmt: "calls a procedure, whose effect cannot be known",
  CreateTrigStmt: "adds a trigger to what is written",
  CreatePolicyStmt: "changes who may see rows",
  AlterPolicyStmt: "changes who may see rows",
  AlterEnumStmt: "changes the labels of an enum",
};

function alteration(table: TableName, command: AlterTableCmd): Disturbance[] {
  const { subtype = "", name = "", def } = command;
  const of = showName(table);
  switch (subtype) {
    case "AT_AddColumn":
      return def !== undefined && "ColumnDef" in def
        ? newColumn(table, def.ColumnDef)
        : certain("adds a column");
    case "AT_DropNotNull":
    case "AT_SetStatistics":
    case "AT_SetStorage":
    case "AT_SetCompression":
    case "AT_SetOptions":
    case "AT_ResetOptions":
    case "AT_SetRelOptions":
    case "AT_ResetRelOptions":
    case "AT_ValidateConstraint":
    case "AT_ClusterOn":
    case "AT_DropCluster":
      return [];
    case "AT_ColumnDefault":
      return def === undefined ? certain(`takes the default of ${of}.${name} away`) : [];
    case "AT_DropConstraint":
      return [{ kind: "unless", constraint: name, table }];
    case "AT_DropColumn":
      return certain(`takes the column ${of}.${name} away`);
    case "AT_AlterColumnType":
      return certain(`changes the type of ${of}.${name}`);
    case "AT_SetNotNull":
      return certain(`refuses rows without ${of}.${name}`);
    case "AT_AddConstraint":
      return certain(`refuses rows of ${of} by a constraint`);
    default:
      return certain(`alters ${of} in a way that is not known to be harmless`);
  }
}

/** A column that statements which do not name it can live with. */
function newColumn(table: TableName, { colname = "", constraints = [] }: ColumnDef): Disturbance[] {
  const of = `${showName(table)}.${colname}`;
  const all = constraints.flatMap((each): Constraint[] => ("Constraint" in each ? [each.Constraint] : []));
  const fills = new Set(["CONSTR_DEFAULT", "CONSTR_GENERATED", "CONSTR_IDENTITY"]);
  const filled = all.some(({ contype }) => fills.has(contype ?? ""));
  return all.flatMap(({ contype = "" }) => {
    if (fills.has(contype) || contype === "CONSTR_NULL") return [];
    if (contype === "CONSTR_NOTNULL") return filled ? [] : certain(`refuses rows without ${of}`);
    return certain(`adds ${of} with a constraint`);
  });
}

function removals({ removeType, objects = [], behavior }: DropStmt): Disturbance[] {
  if (behavior === "DROP_CASCADE") return certain("takes away what depends on something, by CASCADE");
  return objects.flatMap((object): Disturbance[] => {
    const parts = stringsOf(object);
    const name = nameFromParts(parts);
    if (removeType === "OBJECT_STATISTIC_EXT") return [];
    if (removeType === "OBJECT_INDEX" && name !== undefined) return [{ kind: "unless", index: name }];
    const type = (removeType ?? "OBJECT_TABLE").replace("OBJECT_", "").replaceAll("_", " ").toLowerCase();
    return certain(`takes the ${type} ${parts.join(".")} away`.replace("  ", " "));
  });
}

/** Nobody speaks of an index by name; of a constraint, ON CONFLICT does. */
function renaming({ RenameStmt }: Extract<Node, { RenameStmt: unknown }>): Disturbance[] {
  if (RenameStmt.renameType === "OBJECT_INDEX") return [];
  const table = nameOf(RenameStmt.relation);
  const what = [table === undefined ? "" : showName(table), RenameStmt.subname ?? ""].filter(
    (text) => text !== "",
  );
  return certain(`renames ${what.join(".") || "something"}`);
}

function certain(why: string): Disturbance[] {
  return [{ kind: "certain", why }];
}
