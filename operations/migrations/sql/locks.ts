import type { AlterTableStmt, Node } from "libpg-query";
import type { TableName } from "../types.ts";
import { nameFromParts, nameOf, stringsOf } from "./names.ts";
import { isRecord, some, walk } from "./parse.ts";

/** PostgreSQL's table-level lock modes, weakest first. */
export const lockModes = [
  "ACCESS SHARE",
  "ROW SHARE",
  "ROW EXCLUSIVE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE",
  "SHARE ROW EXCLUSIVE",
  "EXCLUSIVE",
  "ACCESS EXCLUSIVE",
] as const;
export type LockMode = (typeof lockModes)[number];

/** A lock that a statement takes on a relation that its text names. */
export interface Lock {
  readonly table: TableName;
  readonly mode: LockMode;
}

/** The stronger of two modes. */
export function stronger(a: LockMode, b: LockMode): LockMode {
  return lockModes.indexOf(a) >= lockModes.indexOf(b) ? a : b;
}

// What is not listed takes ACCESS EXCLUSIVE. From "Explicit Locking" and "ALTER TABLE" of PostgreSQL's manual.
const alterTableModes: Readonly<Partial<Record<string, LockMode>>> = {
  AT_SetStatistics: "SHARE UPDATE EXCLUSIVE",
  AT_SetOptions: "SHARE UPDATE EXCLUSIVE",
  AT_ResetOptions: "SHARE UPDATE EXCLUSIVE",
  AT_ValidateConstraint: "SHARE UPDATE EXCLUSIVE",
  AT_ClusterOn: "SHARE UPDATE EXCLUSIVE",
  AT_DropCluster: "SHARE UPDATE EXCLUSIVE",
  AT_AttachPartition: "SHARE UPDATE EXCLUSIVE",
  AT_EnableTrig: "SHARE ROW EXCLUSIVE",
  AT_EnableAlwaysTrig: "SHARE ROW EXCLUSIVE",
  AT_EnableReplicaTrig: "SHARE ROW EXCLUSIVE",
  AT_DisableTrig: "SHARE ROW EXCLUSIVE",
  AT_EnableTrigAll: "SHARE ROW EXCLUSIVE",
  AT_DisableTrigAll: "SHARE ROW EXCLUSIVE",
  AT_EnableTrigUser: "SHARE ROW EXCLUSIVE",
  AT_DisableTrigUser: "SHARE ROW EXCLUSIVE",
};

/** Locks that a statement takes on relations it names. What it reaches only through the catalogue is not among them. */
export function locksOf(node: Node): Lock[] {
  if ("AlterTableStmt" in node) return alterTableLocks(node.AlterTableStmt);
  if ("DropStmt" in node)
    return dropLocks(node.DropStmt.removeType ?? "OBJECT_TABLE", node.DropStmt.objects ?? []);
  if ("IndexStmt" in node) {
    return one(
      node.IndexStmt.relation,
      node.IndexStmt.concurrent === true ? "SHARE UPDATE EXCLUSIVE" : "SHARE",
    );
  }
  if ("TruncateStmt" in node) {
    return (node.TruncateStmt.relations ?? []).flatMap((each) =>
      "RangeVar" in each ? one(each.RangeVar, "ACCESS EXCLUSIVE") : [],
    );
  }
  if ("RenameStmt" in node) {
    const { renameType, relation } = node.RenameStmt;
    if (renameType === "OBJECT_TRIGGER" || renameType === "OBJECT_POLICY" || renameType === "OBJECT_RULE") {
      return one(relation, "ACCESS EXCLUSIVE");
    }
    return one(relation, renameType === "OBJECT_INDEX" ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE");
  }
  if ("AlterObjectSchemaStmt" in node) return one(node.AlterObjectSchemaStmt.relation, "ACCESS EXCLUSIVE");
  if ("CreateTrigStmt" in node) {
    return [
      ...one(node.CreateTrigStmt.relation, "SHARE ROW EXCLUSIVE"),
      ...one(node.CreateTrigStmt.constrrel, "SHARE ROW EXCLUSIVE"),
    ];
  }
  if ("CreatePolicyStmt" in node) return one(node.CreatePolicyStmt.table, "ACCESS EXCLUSIVE");
  if ("AlterPolicyStmt" in node) return one(node.AlterPolicyStmt.table, "ACCESS EXCLUSIVE");
  if ("RuleStmt" in node) return one(node.RuleStmt.relation, "ACCESS EXCLUSIVE");
  if ("CommentStmt" in node)
    return commentLocks(node.CommentStmt.objtype ?? "OBJECT_TABLE", node.CommentStmt.object);
  if ("LockStmt" in node) {
    // LockStmt.mode is PostgreSQL's number, 1 for ACCESS SHARE to 8 for ACCESS EXCLUSIVE.
    const mode = lockModes[(node.LockStmt.mode ?? 8) - 1] ?? "ACCESS EXCLUSIVE";
    return (node.LockStmt.relations ?? []).flatMap((each) =>
      "RangeVar" in each ? one(each.RangeVar, mode) : [],
    );
  }
  if ("RefreshMatViewStmt" in node) {
    const { relation, concurrent } = node.RefreshMatViewStmt;
    return one(relation, concurrent === true ? "EXCLUSIVE" : "ACCESS EXCLUSIVE");
  }
  if ("ClusterStmt" in node) return one(node.ClusterStmt.relation, "ACCESS EXCLUSIVE");
  if ("ReindexStmt" in node) return one(node.ReindexStmt.relation, "SHARE");
  if ("CreateStatsStmt" in node) return rangeVars(node.CreateStatsStmt.relations, "SHARE UPDATE EXCLUSIVE");
  if ("CreateStmt" in node) return createTableLocks(node.CreateStmt);
  if ("ViewStmt" in node) {
    const own = node.ViewStmt.replace === true ? one(node.ViewStmt.view, "ACCESS EXCLUSIVE") : [];
    return [...own, ...rangeVars(node.ViewStmt.query, "ACCESS SHARE")];
  }
  return queryLocks(node);
}

function alterTableLocks(statement: AlterTableStmt): Lock[] {
  const locks: Lock[] = [];
  for (const each of statement.cmds ?? []) {
    if (!("AlterTableCmd" in each)) continue;
    const { subtype, def } = each.AlterTableCmd;
    const foreign = def !== undefined && "Constraint" in def && def.Constraint.contype === "CONSTR_FOREIGN";
    const mode =
      (subtype === "AT_AddConstraint" && foreign ? "SHARE ROW EXCLUSIVE" : undefined) ??
      alterTableModes[subtype ?? ""] ??
      "ACCESS EXCLUSIVE";
    locks.push(...one(statement.relation, mode));
    // A foreign key locks the table it refers to as well, wherever it is written in the command.
    locks.push(...referencedTables(def));
    if (subtype === "AT_AttachPartition" || subtype === "AT_DetachPartition") {
      locks.push(...rangeVars(def, "ACCESS EXCLUSIVE"));
    }
  }
  return locks.length > 0 ? locks : one(statement.relation, "ACCESS EXCLUSIVE");
}

function createTableLocks(statement: {
  partbound?: unknown;
  inhRelations?: Node[];
  tableElts?: Node[];
}): Lock[] {
  const parents = rangeVars(
    statement.inhRelations,
    statement.partbound === undefined ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE",
  );
  return [...parents, ...referencedTables(statement.tableElts)];
}

/** Tables that foreign keys below `node` refer to. */
function referencedTables(node: unknown): Lock[] {
  const locks: Lock[] = [];
  walk(node, (kind, fields) => {
    if (kind === "Constraint" && isRecord(fields["pktable"])) {
      locks.push(...fromFields(fields["pktable"], "SHARE ROW EXCLUSIVE"));
    }
  });
  return locks;
}

function dropLocks(removeType: string, objects: readonly Node[]): Lock[] {
  const names = objects.map(stringsOf);
  switch (removeType) {
    case "OBJECT_TABLE":
    case "OBJECT_VIEW":
    case "OBJECT_MATVIEW":
    case "OBJECT_FOREIGN_TABLE":
    case "OBJECT_INDEX":
      // An index's lock is on its table, which only the catalogue knows.
      return names.flatMap((parts) => tableLock(parts));
    case "OBJECT_TRIGGER":
    case "OBJECT_POLICY":
    case "OBJECT_RULE":
      return names.flatMap((parts) => tableLock(parts.slice(0, -1)));
    default:
      return [];
  }
}

function tableLock(parts: readonly string[]): Lock[] {
  const table = nameFromParts(parts);
  return table === undefined ? [] : [{ table, mode: "ACCESS EXCLUSIVE" }];
}

function commentLocks(type: string, object: unknown): Lock[] {
  const parts = stringsOf(object);
  const table =
    type === "OBJECT_TABLE" || type === "OBJECT_VIEW" || type === "OBJECT_MATVIEW"
      ? nameFromParts(parts)
      : type === "OBJECT_COLUMN" ||
          type === "OBJECT_TABCONSTRAINT" ||
          type === "OBJECT_TRIGGER" ||
          type === "OBJECT_POLICY"
        ? nameFromParts(parts.slice(0, -1))
        : undefined;
  return table === undefined ? [] : [{ table, mode: "SHARE UPDATE EXCLUSIVE" }];
}

/** Queries: what is written takes ROW EXCLUSIVE, what is read ACCESS SHARE (ROW SHARE under FOR UPDATE). */
function queryLocks(node: Node): Lock[] {
  const written: Lock[] = [];
  walk(node, (kind, fields) => {
    if (kind === "InsertStmt" || kind === "UpdateStmt" || kind === "DeleteStmt" || kind === "MergeStmt") {
      written.push(...fromFields(fields["relation"], "ROW EXCLUSIVE"));
    }
  });
  const query = /^(Select|Insert|Update|Delete|Merge|CreateTableAs|Copy)Stmt$/;
  if (!query.test(Object.keys(node)[0] ?? "")) return written;
  const locking = some(node, (kind) => kind === "LockingClause");
  return [...written, ...rangeVars(node, locking ? "ROW SHARE" : "ACCESS SHARE")];
}

function rangeVars(node: unknown, mode: LockMode): Lock[] {
  const ctes = new Set<unknown>();
  walk(node, (kind, fields) => {
    if (kind === "CommonTableExpr") ctes.add(fields["ctename"]);
  });
  const locks: Lock[] = [];
  walk(node, (kind, fields) => {
    if (kind === "RangeVar" && !(fields["schemaname"] === undefined && ctes.has(fields["relname"]))) {
      locks.push(...fromFields(fields, mode));
    }
  });
  return locks;
}

function fromFields(fields: unknown, mode: LockMode): Lock[] {
  if (!isRecord(fields) || typeof fields["relname"] !== "string") return [];
  const schema = typeof fields["schemaname"] === "string" ? fields["schemaname"] : undefined;
  return [{ table: { schema, name: fields["relname"] }, mode }];
}

function one(relation: Parameters<typeof nameOf>[0], mode: LockMode): Lock[] {
  const table = nameOf(relation);
  return table === undefined ? [] : [{ table, mode }];
}
