import type { AlterTableCmd, DropStmt, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { objectsOf } from "./drops.ts";
import { nameFromParts, nameOf, showName, stringsOf } from "./names.ts";
import { kindOf } from "./parse.ts";

/** A thing that SQL names, e.g. `public.meals` or `meals.calories`; things of different kinds may have one name. */
export interface Thing {
  readonly kind: "relation" | "column" | "type" | "schema";
  readonly name: string;
}

/** What a statement makes, takes away and cannot do without, as far as its text tells. */
export interface Effects {
  readonly made: readonly Thing[];
  readonly removed: readonly Thing[];
  /** Things without which the statement fails. */
  readonly needs: readonly Thing[];
  /** Whether names may mean something else after it, or more may be gone than is named: RENAME, SET, CASCADE. */
  readonly unclear: boolean;
}

const nothing: Effects = { made: [], removed: [], needs: [], unclear: false };

/** See `Effects`. What is opaque is `opaqueness`'s business. */
export function effectsOf(node: Node): Effects {
  if ("CreateStmt" in node) return { ...nothing, made: relation(nameOf(node.CreateStmt.relation)) };
  if ("ViewStmt" in node) return { ...nothing, made: relation(nameOf(node.ViewStmt.view)) };
  if ("CreateTableAsStmt" in node)
    return { ...nothing, made: relation(nameOf(node.CreateTableAsStmt.into?.rel)) };
  if ("CreateSeqStmt" in node) return { ...nothing, made: relation(nameOf(node.CreateSeqStmt.sequence)) };
  if ("IndexStmt" in node) {
    const table = nameOf(node.IndexStmt.relation);
    const { idxname: index } = node.IndexStmt;
    const made = index === undefined ? [] : relation({ schema: table?.schema, name: index });
    return { ...nothing, made, needs: relation(table) };
  }
  if ("CreateEnumStmt" in node) return { ...nothing, made: type(node.CreateEnumStmt.typeName) };
  if ("CreateDomainStmt" in node) return { ...nothing, made: type(node.CreateDomainStmt.domainname) };
  if ("CreateSchemaStmt" in node) {
    const { schemaname: name, schemaElts: more } = node.CreateSchemaStmt;
    return {
      ...nothing,
      made: name === undefined ? [] : [{ kind: "schema", name }],
      unclear: (more ?? []).length > 0,
    };
  }
  if ("DropStmt" in node) return dropped(node.DropStmt);
  if ("AlterTableStmt" in node) {
    const { relation: of, cmds, missing_ok: optional, objtype } = node.AlterTableStmt;
    const table = nameOf(of);
    if (table === undefined || objtype !== "OBJECT_TABLE") return nothing;
    const parts = (cmds ?? []).map((each) =>
      "AlterTableCmd" in each ? altered(table, each.AlterTableCmd) : nothing,
    );
    return {
      made: parts.flatMap(({ made }) => made),
      removed: parts.flatMap(({ removed }) => removed),
      needs: optional === true ? [] : [...relation(table), ...parts.flatMap(({ needs }) => needs)],
      unclear: parts.some(({ unclear }) => unclear),
    };
  }
  if ("UpdateStmt" in node) return { ...nothing, needs: relation(nameOf(node.UpdateStmt.relation)) };
  if ("DeleteStmt" in node) return { ...nothing, needs: relation(nameOf(node.DeleteStmt.relation)) };
  if ("InsertStmt" in node) return { ...nothing, needs: relation(nameOf(node.InsertStmt.relation)) };
  if ("SelectStmt" in node) return { ...nothing, unclear: node.SelectStmt.intoClause !== undefined };
  return { ...nothing, unclear: !plainKinds.has(kindOf(node)) };
}

/** They neither make nor take away anything of these kinds, nor give it another name. */
const plainKinds = new Set(
  `AlterEnumStmt AlterFunctionStmt AlterOwnerStmt AlterPolicyStmt AlterSeqStmt CommentStmt CreateExtensionStmt CreateFunctionStmt
  CreatePolicyStmt CreateStatsStmt CreateTrigStmt GrantStmt LockStmt MergeStmt RefreshMatViewStmt ReindexStmt RuleStmt TruncateStmt`.split(
    /\s+/,
  ),
);

function dropped(statement: DropStmt): Effects {
  const removed = objectsOf(statement).map(({ kind, name }): Thing => ({ kind, name: showName(name) }));
  const needs = statement.missing_ok === true ? [] : removed;
  return { made: [], removed, needs, unclear: statement.behavior === "DROP_CASCADE" };
}

function altered(
  table: TableName,
  { subtype, name, def, missing_ok: optional, behavior }: AlterTableCmd,
): Effects {
  const column = (of: string | undefined): Thing[] =>
    of === undefined ? [] : [{ kind: "column", name: `${showName(table)}.${of}` }];
  switch (subtype) {
    case "AT_AddColumn":
      return {
        ...nothing,
        made: column(def !== undefined && "ColumnDef" in def ? def.ColumnDef.colname : undefined),
      };
    case "AT_DropColumn": {
      const removed = column(name);
      return {
        made: [],
        removed,
        needs: optional === true ? [] : removed,
        unclear: behavior === "DROP_CASCADE",
      };
    }
    case "AT_AlterColumnType":
    case "AT_ColumnDefault":
    case "AT_SetNotNull":
    case "AT_DropNotNull":
      return { ...nothing, needs: column(name) };
    default:
      return nothing;
  }
}

function relation(name: TableName | undefined): Thing[] {
  return name === undefined ? [] : [{ kind: "relation", name: showName(name) }];
}

function type(names: readonly Node[] | undefined): Thing[] {
  const name = nameFromParts(stringsOf(names));
  return name === undefined ? [] : [{ kind: "type", name: showName(name) }];
}
