import type { AlterTableCmd, ColumnDef, Constraint, Node, TypeName } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameOf } from "./names.ts";
import { isRecord } from "./parse.ts";
import { calledFunctions } from "./preparing.ts";

/**
 * What a statement does to all of a table while it holds its lock: it writes every row anew, or reads every row (to check them or
 * to build an index). From PostgreSQL's manual, ALTER TABLE and its notes. What is not known to be quick is not taken for it.
 */
export interface Work {
  readonly table: TableName;
  readonly how: "rewrites" | "scans";
  /** Only unless the catalogue says otherwise; undefined: in any case. */
  readonly unless?: Doubt;
}

/** What the text alone does not tell. */
export type Doubt =
  /** The column has values of that type already, or such as need no conversion. */
  | { readonly kind: "type"; readonly column: string; readonly type: WrittenType }
  /** The column, or a valid CHECK, has no nulls. */
  | { readonly kind: "not null"; readonly column: string }
  /** The type is no domain with constraints; `how` it is otherwise. */
  | { readonly kind: "plain type"; readonly type: string }
  /** The constraint is valid already; there is no constraint of that name: the statement fails, whatever else. */
  | { readonly kind: "valid"; readonly constraint: string }
  /** The table has that persistence already: `p` logged, `u` unlogged. */
  | { readonly kind: "persistence"; readonly is: "p" | "u" };

/** A type as SQL names it: `varchar`, with `[20]`; the schema pg_catalog is left out. */
export interface WrittenType {
  readonly name: string;
  readonly modifiers: readonly number[];
}

/** See `Work`. */
export function worksOf(node: Node): Work[] {
  if ("AlterTableStmt" in node) {
    const table = nameOf(node.AlterTableStmt.relation);
    if (table === undefined || node.AlterTableStmt.objtype === "OBJECT_VIEW") return [];
    return (node.AlterTableStmt.cmds ?? []).flatMap((each) =>
      "AlterTableCmd" in each ? alteration(table, each.AlterTableCmd) : [],
    );
  }
  if ("IndexStmt" in node) return on(nameOf(node.IndexStmt.relation), "scans");
  if ("ReindexStmt" in node) return on(nameOf(node.ReindexStmt.relation), "scans");
  if ("ClusterStmt" in node) return on(nameOf(node.ClusterStmt.relation), "rewrites");
  if ("RefreshMatViewStmt" in node) return on(nameOf(node.RefreshMatViewStmt.relation), "rewrites");
  if ("VacuumStmt" in node) {
    const full = (node.VacuumStmt.options ?? []).some(
      (each) => "DefElem" in each && each.DefElem.defname === "full",
    );
    if (!full) return [];
    return (node.VacuumStmt.rels ?? []).flatMap((each) =>
      "VacuumRelation" in each ? on(nameOf(each.VacuumRelation.relation), "rewrites") : [],
    );
  }
  return [];
}

function on(table: TableName | undefined, how: Work["how"], unless?: Doubt): Work[] {
  return table === undefined ? [] : [{ table, how, ...(unless === undefined ? {} : { unless }) }];
}

function alteration(table: TableName, { subtype, name, def }: AlterTableCmd): Work[] {
  const column = name ?? "";
  switch (subtype) {
    case "AT_AddColumn":
      return def !== undefined && "ColumnDef" in def
        ? addedColumn(table, def.ColumnDef)
        : on(table, "rewrites");
    case "AT_AlterColumnType":
      return def !== undefined && "ColumnDef" in def
        ? retyped(table, column, def.ColumnDef)
        : on(table, "rewrites");
    case "AT_SetNotNull":
      return on(table, "scans", { kind: "not null", column });
    case "AT_AddConstraint":
      return def !== undefined && "Constraint" in def
        ? constrained(table, def.Constraint)
        : on(table, "scans");
    case "AT_ValidateConstraint":
      return on(table, "scans", { kind: "valid", constraint: column });
    case "AT_SetLogged":
      return on(table, "rewrites", { kind: "persistence", is: "p" });
    case "AT_SetUnLogged":
      return on(table, "rewrites", { kind: "persistence", is: "u" });
    case "AT_SetTableSpace":
    case "AT_SetAccessMethod":
    case "AT_SetExpression":
      return on(table, "rewrites");
    case "AT_AttachPartition":
      return partition(def);
    default:
      return [];
  }
}

function partition(def: Node | undefined): Work[] {
  const command = def !== undefined && "PartitionCmd" in def ? def.PartitionCmd : undefined;
  return on(nameOf(command?.name), "scans");
}

/** A default that is the same for every row is kept in the catalogue; one that is not is written into each of them. */
function addedColumn(table: TableName, { constraints = [], typeName }: ColumnDef): Work[] {
  const all = constraints.flatMap((each): Constraint[] => ("Constraint" in each ? [each.Constraint] : []));
  const has = (...kinds: string[]) => all.some(({ contype = "" }) => kinds.includes(contype));
  const value = all.find(({ contype }) => contype === "CONSTR_DEFAULT")?.raw_expr;
  const { name } = writtenType(typeName);
  if (/^(small|big)?serial[248]?$/.test(name) || has("CONSTR_IDENTITY")) return on(table, "rewrites");
  if (all.some(({ contype, generated_kind: kind }) => contype === "CONSTR_GENERATED" && kind !== "v"))
    return on(table, "rewrites");
  if (value !== undefined && variesByRow(value)) return on(table, "rewrites");
  const checks =
    has("CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY") ||
    (value === undefined ? has("CONSTR_NOTNULL") : has("CONSTR_FOREIGN"));
  const checked = checks ? on(table, "scans") : [];
  return builtIn(typeName)
    ? checked
    : [...on(table, "rewrites", { kind: "plain type", type: name }), ...checked];
}

/** Of functions only those are the same for every row that give the time at which the transaction or statement began. */
function variesByRow(expression: unknown): boolean {
  const stable = new Set([
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_setting",
    "to_timestamp",
  ]);
  return calledFunctions(expression).some((name) => !stable.has(name));
}

function retyped(table: TableName, column: string, { typeName, raw_default: using }: ColumnDef): Work[] {
  const type = writtenType(typeName);
  if (using !== undefined && !isItself(using, column, type)) return on(table, "rewrites");
  return on(table, "rewrites", { kind: "type", column, type });
}

/** Whether USING says no more than the type does: the column, or the column cast to it. */
function isItself(using: Node, column: string, type: WrittenType): boolean {
  if ("TypeCast" in using) {
    const { arg, typeName } = using.TypeCast;
    const same = JSON.stringify(writtenType(typeName)) === JSON.stringify(type);
    return same && arg !== undefined && isItself(arg, column, type);
  }
  if (!("ColumnRef" in using)) return false;
  const last = using.ColumnRef.fields?.at(-1);
  return last !== undefined && "String" in last && last.String.sval === column;
}

/** An index is built whatever the text says, but for USING INDEX; anything else is checked, but for NOT VALID. */
function constrained(
  table: TableName,
  { contype, skip_validation: unchecked, indexname }: Constraint,
): Work[] {
  const index = new Set(["CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"]).has(contype ?? "");
  return (index ? indexname !== undefined : unchecked === true) ? [] : on(table, "scans");
}

/** A type as it is written, by its last name, lower case as the parser gives it. */
function writtenType(type: TypeName | undefined): WrittenType {
  const names = (type?.names ?? []).flatMap((each) => ("String" in each ? (each.String.sval ?? "") : []));
  const modifiers = (type?.typmods ?? []).flatMap((each) => {
    const value: unknown = "A_Const" in each ? each.A_Const.ival : undefined;
    return isRecord(value) ? [typeof value["ival"] === "number" ? value["ival"] : 0] : [];
  });
  const array = (type?.arrayBounds ?? []).length > 0 ? "[]" : "";
  return { name: `${names.at(-1) ?? ""}${array}`, modifiers };
}

function builtIn(type: TypeName | undefined): boolean {
  const names = (type?.names ?? []).flatMap((each) => ("String" in each ? (each.String.sval ?? "") : []));
  return names[0] === "pg_catalog" || builtInNames.has(names.at(-1) ?? "");
}

/** Those that the grammar has no word of its own for. */
const builtInNames = new Set(
  `bytea cidr date inet int2 int4 int8 float4 float8 bool json jsonb macaddr macaddr8 money name oid text timestamptz tsvector
  tsquery uuid xml point box circle line lseg path polygon regclass varchar bpchar`.split(/\s+/),
);

/**
 * Whether values of one type are stored as those of another, so that nothing has to be written: `text` and `varchar` without a limit,
 * a limit or precision that grows, the same type. Pure.
 */
export function storedAlike(from: WrittenType, to: WrittenType): boolean {
  const text = new Set(["text", "varchar"]);
  if (text.has(from.name) && text.has(to.name)) return grows(from.modifiers[0], to.modifiers[0]);
  if (from.name !== to.name) return false;
  if (from.modifiers.join() === to.modifiers.join()) return true;
  switch (from.name) {
    case "numeric":
      return (
        to.modifiers.length === 0 ||
        (grows(from.modifiers[0], to.modifiers[0]) && (from.modifiers[1] ?? 0) === (to.modifiers[1] ?? 0))
      );
    case "varbit":
    case "time":
    case "timetz":
    case "timestamp":
    case "timestamptz":
      return grows(from.modifiers[0], to.modifiers[0]);
    default:
      return false;
  }
}

/** undefined: no limit. */
function grows(from: number | undefined, to: number | undefined): boolean {
  return to === undefined || (from !== undefined && from <= to);
}
