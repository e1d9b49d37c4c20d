import pg from "pg";
import type { RangeVar } from "libpg-query";
import type { TableName } from "../types.ts";
import { isRecord } from "./parse.ts";

/** The name as SQL, quoted where needed or not: `"public"."meals"`. */
export function quoteName({ schema, name }: TableName): string {
  return schema === undefined
    ? pg.escapeIdentifier(name)
    : `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
}

/** The name for people: `public.meals`. */
export function showName({ schema, name }: TableName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

/** Name of a table reference in the tree. */
export function nameOf(relation: RangeVar | undefined): TableName | undefined {
  if (relation?.relname === undefined) return undefined;
  return { schema: relation.schemaname, name: relation.relname };
}

/** Texts of a list of String nodes, as names of objects are given: `[schema, name]`, `[table, trigger]`. */
export function stringsOf(node: unknown): string[] {
  const items = isRecord(node) && isRecord(node["List"]) ? node["List"]["items"] : node;
  if (!Array.isArray(items)) return stringOf(node) === undefined ? [] : [stringOf(node) ?? ""];
  return items.flatMap((item: unknown) => stringOf(item) ?? []);
}

function stringOf(node: unknown): string | undefined {
  if (!isRecord(node) || !isRecord(node["String"])) return undefined;
  const text = node["String"]["sval"];
  return typeof text === "string" ? text : "";
}

/** `[schema?, name]` as a name; a database before the schema is dropped. */
export function nameFromParts(parts: readonly string[]): TableName | undefined {
  const name = parts.at(-1);
  return name === undefined ? undefined : { schema: parts.at(-2), name };
}
