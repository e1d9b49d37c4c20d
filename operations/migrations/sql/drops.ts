import type { DropStmt, Node, ObjectWithArgs, TypeName } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameFromParts, nameOf, quoteName, stringsOf } from "./names.ts";

/** A thing that a statement drops without CASCADE: it fails while anything else depends on it. */
export interface Drop {
  readonly kind:
    | "relation"
    | "column"
    | "constraint"
    | "type"
    | "schema"
    | "extension"
    | "function"
    | "procedure"
    | "aggregate";
  /** Of a column or a constraint: its table; of a schema and an extension: its name alone. */
  readonly name: TableName;
  /** The column or constraint. */
  readonly part?: string;
  /** Of a function and its like: the types of its arguments, quoted; undefined: it is named without them. */
  readonly takes?: readonly string[];
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
  if ("DropStmt" in node) {
    const cascades = node.DropStmt.behavior === "DROP_CASCADE";
    return cascades
      ? []
      : [...objectsOf(node.DropStmt), ...routinesOf(node.DropStmt), ...extensionsOf(node.DropStmt)];
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

/** What a DROP names, of these kinds. */
export function objectsOf({ removeType = "OBJECT_TABLE", objects = [] }: DropStmt): DroppedObject[] {
  return objects.flatMap((object) => {
    if (relations.has(removeType)) return named("relation", stringsOf(object));
    if (removeType === "OBJECT_TYPE" || removeType === "OBJECT_DOMAIN")
      return named("type", stringsOf("TypeName" in object ? object.TypeName.names : undefined));
    return removeType === "OBJECT_SCHEMA" ? named("schema", stringsOf(object).slice(-1)) : [];
  });
}

const routines = {
  OBJECT_FUNCTION: "function",
  OBJECT_ROUTINE: "function",
  OBJECT_PROCEDURE: "procedure",
  OBJECT_AGGREGATE: "aggregate",
} as const;

function routinesOf({ removeType, objects = [] }: DropStmt): Drop[] {
  const kind = Object.entries(routines).find(([type]) => type === removeType)?.[1];
  if (kind === undefined) return [];
  return objects.flatMap((object): Drop[] => {
    if (!("ObjectWithArgs" in object)) return [];
    const name = nameFromParts(stringsOf(object.ObjectWithArgs.objname));
    const takes = typesOf(object.ObjectWithArgs);
    if (name === undefined || takes === "unclear") return [];
    return [{ kind, name, ...(takes === undefined ? {} : { takes }) }];
  });
}

/** `unclear`: one is given by the type of something else. */
function typesOf({ objargs = [], args_unspecified: none }: ObjectWithArgs): string[] | "unclear" | undefined {
  if (none === true) return undefined;
  const types = objargs.map((each) => ("TypeName" in each ? typeText(each.TypeName) : undefined));
  return types.every((each) => each !== undefined) ? types : "unclear";
}

/** E.g. `"pg_catalog"."int4"[]`; undefined: `table.column%TYPE`. */
function typeText({ names, arrayBounds = [], pct_type: ofColumn }: TypeName): string | undefined {
  const name = nameFromParts(stringsOf(names));
  if (ofColumn === true || name === undefined) return undefined;
  return `${quoteName(name)}${arrayBounds.length === 0 ? "" : "[]"}`;
}

function extensionsOf({ removeType, objects = [] }: DropStmt): Drop[] {
  if (removeType !== "OBJECT_EXTENSION") return [];
  return objects.flatMap((object) => {
    const name = nameFromParts(stringsOf(object).slice(-1));
    return name === undefined ? [] : [{ kind: "extension" as const, name }];
  });
}

function named(kind: DroppedObject["kind"], parts: readonly string[]): DroppedObject[] {
  const name = nameFromParts(parts);
  return name === undefined ? [] : [{ kind, name }];
}
