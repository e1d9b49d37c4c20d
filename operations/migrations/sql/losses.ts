import type { AlterTableStmt, DropStmt, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameFromParts, nameOf, stringsOf } from "./names.ts";
import { isRecord, walk } from "./parse.ts";

/**
 * Data that a statement destroys or overwrites.
 * - `table`: dropped or truncated whole;
 * - `column`: dropped, or its type changed;
 * - `rows`: deleted, updated or merged, known only when it runs;
 * - `object`: something whose removal takes columns or tables along (a schema, a type) by CASCADE.
 */
export type Loss =
  | {
      readonly kind: "table";
      readonly table: TableName;
      readonly how: "drop" | "truncate";
      readonly cascade: boolean;
    }
  | {
      readonly kind: "column";
      readonly table: TableName;
      readonly column: string;
      readonly how: "drop" | "retype";
    }
  | { readonly kind: "rows"; readonly table: TableName; readonly how: "delete" | "update" }
  | {
      readonly kind: "object";
      readonly type: "schema" | "type" | "domain" | "extension" | "owned";
      readonly name: TableName;
    };

/** What a statement destroys, as far as its text tells. Opaque statements are `opaqueness`'s business. */
export function lossesOf(node: Node): Loss[] {
  if ("DropStmt" in node) return dropLosses(node.DropStmt);
  if ("AlterTableStmt" in node) return alterTableLosses(node.AlterTableStmt);
  if ("TruncateStmt" in node) {
    const cascade = node.TruncateStmt.behavior === "DROP_CASCADE";
    return (node.TruncateStmt.relations ?? []).flatMap((each): Loss[] => {
      const table = "RangeVar" in each ? nameOf(each.RangeVar) : undefined;
      return table === undefined ? [] : [{ kind: "table", table, how: "truncate", cascade }];
    });
  }
  if ("DropOwnedStmt" in node) {
    return [{ kind: "object", type: "owned", name: { schema: undefined, name: "DROP OWNED" } }];
  }
  return rowLosses(node);
}

function dropLosses(statement: DropStmt): Loss[] {
  const cascade = statement.behavior === "DROP_CASCADE";
  return (statement.objects ?? []).flatMap((object): Loss[] => {
    switch (statement.removeType) {
      case "OBJECT_TABLE": {
        const table = nameFromParts(stringsOf(object));
        return table === undefined ? [] : [{ kind: "table", table, how: "drop", cascade }];
      }
      // Without CASCADE these are refused by the server as long as anything hangs on them.
      case "OBJECT_SCHEMA":
      case "OBJECT_EXTENSION": {
        const name = stringsOf(object).at(-1);
        if (!cascade || name === undefined) return [];
        const type = statement.removeType === "OBJECT_SCHEMA" ? "schema" : "extension";
        return [{ kind: "object", type, name: { schema: undefined, name } }];
      }
      case "OBJECT_TYPE":
      case "OBJECT_DOMAIN": {
        const names = "TypeName" in object ? object.TypeName.names : undefined;
        const name = nameFromParts(stringsOf(names));
        if (!cascade || name === undefined) return [];
        return [{ kind: "object", type: statement.removeType === "OBJECT_TYPE" ? "type" : "domain", name }];
      }
      default:
        return [];
    }
  });
}

function alterTableLosses(statement: AlterTableStmt): Loss[] {
  const table = nameOf(statement.relation);
  if (table === undefined || (statement.objtype !== "OBJECT_TABLE" && statement.objtype !== undefined))
    return [];
  return (statement.cmds ?? []).flatMap((each): Loss[] => {
    if (!("AlterTableCmd" in each)) return [];
    const { subtype, name } = each.AlterTableCmd;
    if (name === undefined) return [];
    if (subtype === "AT_DropColumn") return [{ kind: "column", table, column: name, how: "drop" }];
    if (subtype === "AT_AlterColumnType") return [{ kind: "column", table, column: name, how: "retype" }];
    return [];
  });
}

/** DELETE, UPDATE, MERGE and INSERT … ON CONFLICT DO UPDATE, also inside WITH; not the text of functions and rules. */
function rowLosses(node: Node): Loss[] {
  if ("CreateFunctionStmt" in node || "RuleStmt" in node || "DoStmt" in node) return [];
  const losses: Loss[] = [];
  const add = (relation: unknown, how: "delete" | "update") => {
    const table = isRecord(relation) ? nameOf(relation) : undefined;
    if (table !== undefined) losses.push({ kind: "rows", table, how });
  };
  walk(node, (kind, fields) => {
    if (kind === "DeleteStmt") add(fields["relation"], "delete");
    if (kind === "UpdateStmt") add(fields["relation"], "update");
    if (kind === "MergeStmt") {
      walk(fields["mergeWhenClauses"], (_, clause) => {
        if (clause["commandType"] === "CMD_DELETE") add(fields["relation"], "delete");
        if (clause["commandType"] === "CMD_UPDATE") add(fields["relation"], "update");
      });
    }
    if (kind === "InsertStmt" && isRecord(fields["onConflictClause"])) {
      if (fields["onConflictClause"]["action"] === "ONCONFLICT_UPDATE") add(fields["relation"], "update");
    }
  });
  return losses;
}
