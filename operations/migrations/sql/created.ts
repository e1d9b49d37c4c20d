import type { TableName } from "../types.ts";
import { nameOf } from "./names.ts";
import { parseScript } from "./parse.ts";

/** Tables that SQL makes and that must not be there yet. Needs `loadParser()`. */
export function createdTables(sql: string, where: string): TableName[] {
  return parseScript(sql, where).flatMap(({ node }) => {
    if (!("CreateStmt" in node) || node.CreateStmt.if_not_exists === true) return [];
    return nameOf(node.CreateStmt.relation) ?? [];
  });
}
