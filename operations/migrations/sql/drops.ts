import type { DropStmt, Node } from "libpg-query";
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

/** One that a DROP names itself, not an ALTER TABLE. */
interface DroppedObject extends Drop {
  readonly kind: "relation" | "type" | "schema";
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
  if ("DropStmt" in node) return node.DropStmt.behavior === "DROP_CASCADE" ? [] : objectsOf(node.DropStmt);
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

/** What a DROP names, of these kinds. */
export function objectsOf({ removeType = "OBJECT_TABLE", objects = [] }: DropStmt): DroppedObject[] {
  return objects.flatMap((object) => {
    if (relations.has(removeType)) return named("relation", stringsOf(object));
    if (removeType === "OBJECT_TYPE" || removeType === "OBJECT_DOMAIN")
      return named("type", stringsOf("TypeName" in object ? object.TypeName.names : undefined));
    return removeType === "OBJECT_SCHEMA" ? named("schema", stringsOf(object).slice(-1)) : [];
  });
}

function named(kind: DroppedObject["kind"], parts: readonly string[]): DroppedObject[] {
  const name = nameFromParts(parts);
  return name === undefined ? [] : [{ kind, name }];
}
