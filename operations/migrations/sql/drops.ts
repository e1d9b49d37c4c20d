import type { Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameFromParts, nameOf, stringsOf } from "./names.ts";

/** A thing that a statement drops without CASCADE: it fails while anything else depends on it. */
export interface Drop {
  readonly kind: "relation" | "column" | "constraint" | "type" | "schema";
  /** Of a column or a constraint: its table; of a schema: its name alone. */
  readonly name: TableName;
  /** The column or constraint. */
  readonly part?: string;
}

const relations = new Set([
  "OBJECT_TABLE",
  "OBJECT_VIEW",
  "OBJECT_MATVIEW",
  "OBJECT_FOREIGN_TABLE",
  "OBJECT_INDEX",
  "OBJECT_SEQUENCE",
]);

/** See `Drop`; of the kinds that most other things depend on. */
export function dropsOf(node: Node): Drop[] {
  if ("DropStmt" in node) {
    const { removeType = "OBJECT_TABLE", objects = [], behavior } = node.DropStmt;
    if (behavior === "DROP_CASCADE") return [];
    return objects.flatMap((object): Drop[] => {
      if (relations.has(removeType)) return named("relation", stringsOf(object));
      if (removeType === "OBJECT_TYPE" || removeType === "OBJECT_DOMAIN")
        return named("type", stringsOf("TypeName" in object ? object.TypeName.names : undefined));
      return removeType === "OBJECT_SCHEMA" ? named("schema", stringsOf(object).slice(-1)) : [];
    });
  }
  if (!("AlterTableStmt" in node) || node.AlterTableStmt.objtype !== "OBJECT_TABLE") return [];
  const table = nameOf(node.AlterTableStmt.relation);
  return (node.AlterTableStmt.cmds ?? []).flatMap((each): Drop[] => {
    if (table === undefined || !("AlterTableCmd" in each)) return [];
    const { subtype, name: part, behavior } = each.AlterTableCmd;
    if (part === undefined || behavior === "DROP_CASCADE") return [];
    if (subtype === "AT_DropColumn") return [{ kind: "column", name: table, part }];
    return subtype === "AT_DropConstraint" ? [{ kind: "constraint", name: table, part }] : [];
  });
}

function named(kind: Drop["kind"], parts: readonly string[]): Drop[] {
  const name = nameFromParts(parts);
  return name === undefined ? [] : [{ kind, name }];
}
