import type { ColumnDef, Constraint, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameFromParts, nameOf, stringsOf } from "./names.ts";
import { parseScript } from "./parse.ts";
import { scanSync } from "./parser.ts";

/** A column that a statement wants to have no nulls, and does not fill itself. */
export interface RequiredColumn {
  readonly table: TableName;
  readonly column: string;
  /** `added`: by ADD COLUMN … NOT NULL without a default; `set`: by SET NOT NULL. */
  readonly how: "added" | "set";
  /** Of an added one: its type, which may have a default of its own. */
  readonly type?: TableName;
}

/** See `RequiredColumn`. */
export function requiredColumns(node: Node): RequiredColumn[] {
  return commandsOf(node).map(({ table, column, how, type }) => ({
    table,
    column,
    how,
    ...(type === undefined ? {} : { type }),
  }));
}

/**
 * The statement with the columns that it adds without NOT NULL, for somebody who fills them and sets it afterwards; as it is
 * where it adds none. Needs `loadParser()`.
 */
export function withoutNotNull(sql: string, where: string): string {
  const [statement] = parseScript(sql, where);
  if (statement === undefined) return sql;
  const { tokens } = scanSync(sql);
  const places = commandsOf(statement.node).flatMap(({ notNull }) => notNull?.location ?? []);
  // Positions are bytes; from the last to the first, so that those before stay right.
  let bytes = Buffer.from(sql);
  for (const place of places.toSorted((a, b) => b - a)) {
    // A constraint with a name begins with CONSTRAINT.
    const not = tokens.find(({ start, text }) => start >= place && text.toLowerCase() === "not");
    const end = tokens.find(
      ({ start, text }) => start > (not?.start ?? place) && text.toLowerCase() === "null",
    )?.end;
    if (not !== undefined && end !== undefined)
      bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(end)]);
  }
  return bytes.toString();
}

interface Command extends RequiredColumn {
  readonly notNull?: Constraint;
}

function commandsOf(node: Node): Command[] {
  if (!("AlterTableStmt" in node) || node.AlterTableStmt.objtype !== "OBJECT_TABLE") return [];
  const { relation, cmds = [], missing_ok: maybe } = node.AlterTableStmt;
  const table = nameOf(relation);
  // ONLY: what inherits is another matter. IF EXISTS: nothing may be there to be filled.
  if (table === undefined || relation?.inh !== true || maybe === true) return [];
  return cmds.flatMap((each): Command[] => {
    if (!("AlterTableCmd" in each)) return [];
    const { subtype, name, def, missing_ok: optional } = each.AlterTableCmd;
    if (subtype === "AT_SetNotNull" && name !== undefined) return [{ table, column: name, how: "set" }];
    if (subtype !== "AT_AddColumn" || optional === true || def === undefined || !("ColumnDef" in def))
      return [];
    const notNull = unfilled(def.ColumnDef);
    const column = def.ColumnDef.colname;
    if (notNull === undefined || column === undefined) return [];
    const type = nameFromParts(stringsOf(def.ColumnDef.typeName?.names));
    return [{ table, column, how: "added", notNull, ...(type === undefined ? {} : { type }) }];
  });
}

/** The NOT NULL of a column that gets no value by itself. */
function unfilled({ constraints = [], typeName }: ColumnDef): Constraint | undefined {
  const all = constraints.flatMap((each): Constraint[] => ("Constraint" in each ? [each.Constraint] : []));
  const filling = new Set(["CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"]);
  if (all.some(({ contype = "" }) => filling.has(contype))) return undefined;
  const type = stringsOf(typeName?.names).at(-1) ?? "";
  if (/^(small|big)?serial[248]?$/.test(type)) return undefined;
  return all.find(({ contype }) => contype === "CONSTR_NOTNULL");
}
